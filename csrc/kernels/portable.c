/* The kernels in plain C. */
#if defined(__AVX__) || defined(__ARM_FEATURE_SVE)
#error "the core is compiled for the baseline; instruction sets are chosen at run time"
#endif
#include "simd/portable.h"
#define SCP_KERNELS_TABLE scp_kernels_portable
#include "table.h"
