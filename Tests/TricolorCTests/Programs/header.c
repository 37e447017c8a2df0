// Nothing but the header.
#include <tricolor.h>

int main(void) { return tricolor_version() == 0; }
