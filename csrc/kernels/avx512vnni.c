#if defined(__x86_64__)
#define SCP_SIMD_VNNI
#include "simd/avx512.h"
#include "tree_table.h"
#endif
