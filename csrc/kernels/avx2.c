/* The kernels on AVX2. */
#if defined(__x86_64__)
#include "simd/avx2.h"
#define SCP_KERNELS_TABLE scp_kernels_avx2
#include "table.h"
#endif
