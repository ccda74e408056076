#if defined(__x86_64__)
#include "simd/avx2.h"
#include "table.h"
#include "tree_table.h"
#endif
