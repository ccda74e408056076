/* A selection problem on the device, shared by scores.cu, ascent.cu and enumerate.cu. */
#ifndef SCP_CUDA_SELECTION_CUH
#define SCP_CUDA_SELECTION_CUH

#include "plugin.cuh"

struct scp_cuda_selection {
    int device;
    size_t n, q;
    scp_array<float> values, screen_owned, base;
    scp_array<double> weights;
    const float *screen;
    /* scratch, grown as needed */
    scp_array<uint32_t> sets, rows, included;
    scp_array<double> scores;
    scp_array<float> best;
    /* exchange */
    scp_array<uint32_t> start, client;
    scp_array<float> d1, d2;
    scp_array<double> weight, sums;
    /* ascent */
    scp_array<float> lambda, floor, direction;
    scp_array<uint32_t> ascent_rows, chosen;
    scp_array<double> rho, numbers;
    size_t n_ascent;
    /* enumerate */
    scp_array<double> sorted;
    scp_array<uint32_t> counts;
    scp_array<uint64_t> offsets;
};

/* The sum of 8 lanes as the CPU takes it (kernels/coverage.h): j + (j+4), + (j+2), + (j+1). */
static __device__ __forceinline__ double scp_lanes_sum(double x) {
    for (unsigned half = 4; half > 0; half /= 2)
        x = __dadd_rn(x, __shfl_xor_sync(SCP_WHOLE_WARP, x, half));
    return x;
}

/* Threads of a block, in all kernels of the search. */
#define SCP_SELECTION_THREADS 256u

static inline unsigned scp_blocks(size_t threads) {
    return (unsigned)((threads + SCP_SELECTION_THREADS - 1) / SCP_SELECTION_THREADS);
}

/* Scores of sets[n_sets][width] on the device, covered by base; the sets are rows. */
enum scp_status scp_cuda_score_on_device(struct scp_cuda_selection *s, double *scores,
                                         const float *base, const uint32_t *sets, size_t width,
                                         size_t n_sets);

#endif
