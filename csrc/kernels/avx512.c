#if defined(__x86_64__)
#include "simd/avx512.h"
#include "table.h"
#include "tree_table.h"
#endif
