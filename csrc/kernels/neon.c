/* The kernels on NEON (64-bit ARM). */
#if defined(__aarch64__)
#include "simd/neon.h"
#define SCP_KERNELS_TABLE scp_kernels_neon
#include "table.h"
#endif
