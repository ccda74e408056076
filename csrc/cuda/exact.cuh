/* Dot products and similarities with the bits of the CPU (csrc/kernels/dots.h): 16 lanes are the
 * 16 partial sums, every operation is rounded by itself. All lanes of the half warp get the sum. */
#ifndef SCP_CUDA_EXACT_CUH
#define SCP_CUDA_EXACT_CUH

#include "similarity.cuh"

static __device__ __forceinline__ float scp_exact_dot(scp_device::pointer<const float> a,
                                                      scp_device::pointer<const float> b,
                                                      uint32_t channels, unsigned lane16) {
    float sum = 0;
    SCP_UNROLL_BY(4)
    for (uint32_t c = lane16; c < channels; c += 16) sum = __fadd_rn(sum, __fmul_rn(a[c], b[c]));
    for (unsigned half = 8; half > 0; half /= 2)
        sum = __fadd_rn(sum, __shfl_xor_sync(SCP_WHOLE_WARP, sum, half));
    return sum;
}

#define SCP_SMALLEST 1.17549435e-38f

static __device__ __forceinline__ float scp_exact_similarity(float dot, float query_norm,
                                                             float cell_norm, float epsilon) {
    const float n = __fmul_rn(query_norm, cell_norm), m = __fadd_rn(n, epsilon);
    const float c = __fmul_rn(dot, __fdiv_rn(n, m > SCP_SMALLEST ? m : SCP_SMALLEST));
    return c > 0 ? (c < 1 ? c : 1) : 0;
}

#endif
