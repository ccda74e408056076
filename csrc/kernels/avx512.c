/* The kernels on AVX-512. */
#if defined(__x86_64__)
#include "simd/avx512.h"
#define SCP_KERNELS_TABLE scp_kernels_avx512
#include "table.h"
#endif
