/* The subgradient ascent of the Lagrangian bound (csrc/select/bound.c): multipliers and direction
 * stay on the device, an iteration brings back one number per row. Orders of summation are those of
 * csrc/kernels/coverage_body.h. */
#include "selection.cuh"

using scp_device::launch;
using scp_device::pointer;
using scp_device::shared_memory;

#define FLUSH 512      /* clients summed in float32 before they are added in float64 */
#define SUM_PART 8192u /* floats in shared memory at a time */

/* rho[r] = sum_q max(screen[rows[r]][q] - lambda[q], 0): a block a row. Sixteen threads make one
 * sum of FLUSH clients, thread j has clients j, j + 16, ...; the clients that fill no sixteen are a
 * sum of their own; thread 0 adds the sums in their order. */
__global__ __launch_bounds__(SCP_SELECTION_THREADS) void excess_kernel(
    pointer<double> rho, pointer<const float> screen, uint64_t q, pointer<const uint32_t> rows,
    pointer<const float> lambda) {
    constexpr unsigned SUMS = SCP_SELECTION_THREADS / 16;
    const pointer<float> sums = shared_memory<float>(0, SUMS);
    const uint64_t row = rows[blockIdx.x] * q, whole = q / 16 * 16;
    const uint64_t parts = (whole + FLUSH - 1) / FLUSH + (q > whole);
    const unsigned lane = threadIdx.x % 16, mine = threadIdx.x / 16;
    double total = 0;
    for (uint64_t first = 0; first < parts; first += SUMS) {
        uint64_t begin = (first + mine) * FLUSH, end = begin + FLUSH;
        if (begin >= whole)
            begin = first + mine < parts ? whole : q, end = q;
        else if (end > whole)
            end = whole;
        float sum = 0;
        SCP_UNROLL_BY(8)
        for (uint64_t i = begin + lane; i < end; i += 16) {
            const float excess = __fsub_rn(screen[row + i], lambda[i]);
            sum = __fadd_rn(sum, excess > 0 ? excess : 0);
        }
        for (unsigned half = 8; half > 0; half /= 2)
            sum = __fadd_rn(sum, __shfl_xor_sync(SCP_WHOLE_WARP, sum, half));
        if (lane == 0) sums[mine] = sum;
        __syncthreads();
        for (unsigned k = 0; threadIdx.x == 0 && k < SUMS && first + k < parts; k++)
            total = __dadd_rn(total, (double)(float)sums[k]);
        __syncthreads();
    }
    if (threadIdx.x == 0) rho[blockIdx.x] = total;
}

/* out[0] = sum of x, or of its squares, float64 in 8 lanes: all threads of the one block load, the
 * first warp adds, four times the same. */
template <bool squares>
__global__ __launch_bounds__(SCP_SELECTION_THREADS) void sum_kernel(pointer<double> out,
                                                                    pointer<const float> x,
                                                                    uint64_t q) {
    const pointer<float> part = shared_memory<float>(0, SUM_PART);
    const unsigned lane = threadIdx.x % 8;
    double sum = 0;
    for (uint64_t first = 0; first < q; first += SUM_PART) {
        const unsigned count = q - first < SUM_PART ? (unsigned)(q - first) : SUM_PART;
        SCP_UNROLL_BY(8)
        for (unsigned i = threadIdx.x; i < count; i += SCP_SELECTION_THREADS)
            part[i] = x[first + i];
        __syncthreads();
        if (threadIdx.x < 32) {
            SCP_UNROLL_BY(8)
            for (unsigned i = lane; i < count; i += 8) {
                const double v = (double)(float)part[i];
                sum = __dadd_rn(sum, squares ? __dmul_rn(v, v) : v);
            }
        }
        __syncthreads();
    }
    if (threadIdx.x >= 32) return;
    sum = scp_lanes_sum(sum);
    if (threadIdx.x == 0) out[0] = sum;
}

/* coverage_count over the chosen rows, then coverage_direct. */
__global__ __launch_bounds__(SCP_SELECTION_THREADS) void direct_kernel(
    pointer<float> direction, pointer<const float> screen, uint64_t q, pointer<const uint32_t> rows,
    pointer<const uint32_t> chosen, uint32_t n_chosen, pointer<const float> lambda,
    pointer<const float> floor, float memory) {
    const uint64_t i = (uint64_t)blockIdx.x * SCP_SELECTION_THREADS + threadIdx.x;
    if (i >= q) return;
    const float l = lambda[i];
    float count = 0;
    for (uint32_t k = 0; k < n_chosen; k++)
        count = __fadd_rn(count, screen[rows[chosen[k]] * q + i] > l ? 1.0f : 0.0f);
    const float d = __fadd_rn(__fsub_rn(1.0f, count), __fmul_rn(memory, direction[i]));
    direction[i] = l <= floor[i] && d > 0 ? 0.0f : d;
}

/* coverage_step with length gap / norm[0]; nothing where that is not positive. */
__global__ __launch_bounds__(SCP_SELECTION_THREADS) void step_kernel(pointer<float> lambda,
                                                                     pointer<const float> direction,
                                                                     pointer<const float> floor,
                                                                     uint64_t q, double gap,
                                                                     pointer<const double> norm) {
    const uint64_t i = (uint64_t)blockIdx.x * SCP_SELECTION_THREADS + threadIdx.x;
    if (i >= q || !(norm[0] > 0)) return;
    const float length = (float)(gap / norm[0]);
    const float x = __fsub_rn(lambda[i], __fmul_rn(length, direction[i]));
    lambda[i] = x > floor[i] ? x : floor[i];
}

extern "C" enum scp_status scp_cuda_ascent_begin(struct scp_cuda_selection *s, const float *lambda,
                                                 const float *floor, const uint32_t *rows,
                                                 size_t n_rows) {
    SCP_CUDA(cudaSetDevice(s->device));
    SCP_TRY(s->lambda.upload(lambda, s->q));
    SCP_TRY(s->floor.upload(floor, s->q));
    SCP_TRY(s->ascent_rows.upload(rows, n_rows));
    SCP_TRY(s->direction.make(s->q));
    SCP_CUDA(cudaMemsetAsync(s->direction.get(), 0, s->q * sizeof(float), nullptr));
    SCP_TRY(s->rho.make(n_rows));
    SCP_TRY(s->numbers.make(2));
    s->n_ascent = n_rows;
    return SCP_OK;
}

extern "C" enum scp_status scp_cuda_ascent_excess(struct scp_cuda_selection *s, double *rho,
                                                  double *sum) {
    SCP_CUDA(cudaSetDevice(s->device));
    if (s->n_ascent > 0)
        SCP_CUDA(launch(excess_kernel, (unsigned)s->n_ascent, SCP_SELECTION_THREADS,
                        SCP_SELECTION_THREADS / 16 * sizeof(float), nullptr, s->rho.get(),
                        s->screen, s->q, s->ascent_rows.get(), s->lambda.get()));
    SCP_CUDA(launch(sum_kernel<false>, 1, SCP_SELECTION_THREADS, SUM_PART * sizeof(float), nullptr,
                    s->numbers.get(), s->lambda.get(), s->q));
    SCP_TRY(s->rho.download(rho, s->n_ascent));
    return s->numbers.download(sum, 1);
}

extern "C" enum scp_status scp_cuda_ascent_move(struct scp_cuda_selection *s, int *zero,
                                                const uint32_t *chosen, size_t n_chosen, double gap,
                                                float memory) {
    SCP_CUDA(cudaSetDevice(s->device));
    SCP_TRY(s->chosen.upload(chosen, n_chosen));
    const unsigned blocks = scp_blocks(s->q);
    SCP_CUDA(launch(direct_kernel, blocks, SCP_SELECTION_THREADS, 0, nullptr, s->direction.get(),
                    s->screen, s->q, s->ascent_rows.get(), s->chosen.get(), (uint32_t)n_chosen,
                    s->lambda.get(), s->floor.get(), memory));
    SCP_CUDA(launch(sum_kernel<true>, 1, SCP_SELECTION_THREADS, SUM_PART * sizeof(float), nullptr,
                    s->numbers.get(), s->direction.get(), s->q));
    SCP_CUDA(launch(step_kernel, blocks, SCP_SELECTION_THREADS, 0, nullptr, s->lambda.get(),
                    s->direction.get(), s->floor.get(), s->q, gap, s->numbers.get()));
    double norm;
    SCP_TRY(s->numbers.download(&norm, 1));
    *zero = !(norm > 0);
    return SCP_OK;
}

extern "C" enum scp_status scp_cuda_ascent_read(struct scp_cuda_selection *s, float *lambda) {
    SCP_CUDA(cudaSetDevice(s->device));
    return s->lambda.download(lambda, s->q);
}
