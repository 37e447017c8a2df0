// libnuma's own headers, for TricolorPlatform only.
#include <numa.h>
#include <numaif.h>
