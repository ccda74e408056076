/* The kernels on AVX-512 with its integer dot products (VNNI). */
#if defined(__x86_64__)
#define SCP_SIMD_VNNI
#include "simd/avx512.h"
#define SCP_KERNELS_TABLE scp_kernels_avx512vnni
#include "table.h"
#endif
