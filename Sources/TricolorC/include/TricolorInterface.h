// tricolor.h without what is inline in it, for the Swift compiler, which checks each function of TricolorC against its declaration.
#define TRICOLOR_DECLARATIONS_ONLY 1
#include "tricolor.h"
