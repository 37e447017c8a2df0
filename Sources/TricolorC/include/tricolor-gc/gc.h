/* bdwgc programs include <gc.h> or <gc/gc.h>. */
#include "gc/gc.h"
