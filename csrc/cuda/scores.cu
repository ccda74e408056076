/* Scores, draws and exchanges. Eight threads make one score: thread j is lane j of the CPU's sum
 * (clients j, j + 8, ...), products and sums rounded to float64 one by one, so the bits are the
 * CPU's. The eight read one sector of 32 bytes of every row; the matrix (8.8 MB at N = 150, Q =
 * 14,717) stays in the second cache level. */
#include "selection.cuh"

#include <new>

using scp_device::launch;
using scp_device::pointer;

/* WIDTH rows a set, in registers; 0: `width` of them, read again for every client. */
template <int WIDTH>
__global__ __launch_bounds__(SCP_SELECTION_THREADS) void score_kernel(
    pointer<double> scores, pointer<const float> values, pointer<const double> weights,
    pointer<const float> base, uint64_t q, pointer<const uint32_t> sets, uint32_t width,
    uint64_t n_sets) {
    const uint64_t at = ((uint64_t)blockIdx.x * SCP_SELECTION_THREADS + threadIdx.x) / 8;
    const uint64_t set = at < n_sets ? at : n_sets - 1; /* whole warps stay together */
    const unsigned lane = threadIdx.x % 8;
    uint64_t rows[WIDTH ? WIDTH : 1];
    SCP_UNROLL
    for (int k = 0; k < WIDTH; k++)
        rows[k] = sets[set * width + ((uint32_t)k < width ? (uint32_t)k : 0)] * q;
    double sum = 0;
    SCP_UNROLL_BY(4)
    for (uint64_t i = lane; i < q; i += 8) {
        float best = base[i];
        if (WIDTH) {
            SCP_UNROLL
            for (int k = 0; k < WIDTH; k++) {
                const float v = values[rows[k] + i];
                best = v > best ? v : best;
            }
        } else {
            for (uint32_t k = 0; k < width; k++) {
                const float v = values[sets[set * width + k] * q + i];
                best = v > best ? v : best;
            }
        }
        sum = __dadd_rn(sum, __dmul_rn(weights[i], (double)best));
    }
    sum = scp_lanes_sum(sum);
    if (lane == 0 && at < n_sets) scores[at] = sum;
}

/* ---- the draws of scp/random.h: Philox4x32-10, Lemire's rejection, Floyd's subsets ---- */

struct philox {
    uint32_t k0, k1, s0, s1, block, used;
    uint32_t buffer[4];

    __device__ uint32_t next() {
        if (used == 4) {
            uint32_t c0 = block, c1 = 0, c2 = s0, c3 = s1, a = k0, b = k1;
            for (int round = 0; round < 10; round++) {
                const uint32_t h0 = __umulhi(0xD2511F53u, c0), l0 = 0xD2511F53u * c0;
                const uint32_t h1 = __umulhi(0xCD9E8D57u, c2), l1 = 0xCD9E8D57u * c2;
                c0 = h1 ^ c1 ^ a;
                c1 = l1;
                c2 = h0 ^ c3 ^ b;
                c3 = l0;
                a += 0x9E3779B9u;
                b += 0xBB67AE85u;
            }
            buffer[0] = c0, buffer[1] = c1, buffer[2] = c2, buffer[3] = c3;
            block++;
            used = 0;
        }
        const uint32_t word = used == 0   ? buffer[0]
                              : used == 1 ? buffer[1]
                              : used == 2 ? buffer[2]
                                          : buffer[3];
        used++;
        return word;
    }
    __device__ uint32_t below(uint32_t n) {
        uint64_t product = (uint64_t)next() * n;
        if ((uint32_t)product < n) {
            const uint32_t biased = (0u - n) % n;
            while ((uint32_t)product < biased) product = (uint64_t)next() * n;
        }
        return (uint32_t)(product >> 32);
    }
};

/* sets[i][m]: the included rows, then the draw of stream first + i. */
__global__ __launch_bounds__(SCP_SELECTION_THREADS) void draw_kernel(
    pointer<uint32_t> sets, pointer<const uint32_t> open, uint32_t n_open,
    pointer<const uint32_t> included, uint32_t n_included, uint32_t m, uint64_t seed,
    uint64_t first, uint64_t n_draws) {
    const uint64_t i = (uint64_t)blockIdx.x * SCP_SELECTION_THREADS + threadIdx.x;
    if (i >= n_draws) return;
    const uint64_t stream = first + i;
    philox rng = {
        (uint32_t)seed, (uint32_t)(seed >> 32), (uint32_t)stream, (uint32_t)(stream >> 32), 0, 4,
        {0, 0, 0, 0}};
    pointer<uint32_t> set = sets + i * m;
    for (uint32_t k = 0; k < n_included; k++) set[k] = included[k];
    pointer<uint32_t> out = set + n_included;
    const uint32_t extra = m - n_included;
    uint32_t count = 0;
    for (uint32_t j = n_open - extra; j < n_open; j++) {
        const uint32_t pick = rng.below(j + 1);
        uint32_t at = 0;
        while (at < count && out[at] < pick) at++;
        if (at < count && out[at] == pick) {
            out[count++] = j;
            continue;
        }
        for (uint32_t k = count; k > at; k--) out[k] = (uint32_t)out[k - 1];
        out[at] = pick;
        count++;
    }
    for (uint32_t k = 0; k < extra; k++) out[k] = open[out[k]];
}

/* sums[row][slot][2]: coverage_exchange over the clients of one slot; eight threads each. */
__global__ __launch_bounds__(SCP_SELECTION_THREADS) void exchange_kernel(
    pointer<double> sums, pointer<const float> values, uint64_t q, pointer<const uint32_t> rows,
    uint64_t n_pairs, uint32_t n_slots, pointer<const uint32_t> start,
    pointer<const uint32_t> client, pointer<const float> d1, pointer<const float> d2,
    pointer<const double> weight) {
    const uint64_t at = ((uint64_t)blockIdx.x * SCP_SELECTION_THREADS + threadIdx.x) / 8;
    const uint64_t pair = at < n_pairs ? at : n_pairs - 1;
    const unsigned lane = threadIdx.x % 8, slot = (unsigned)(pair % n_slots);
    const uint64_t row = rows[pair / n_slots] * q;
    double gain = 0, keep = 0;
    for (uint32_t i = start[slot] + lane; i < start[slot + 1]; i += 8) {
        const float v = values[row + client[i]], a = d1[i], b = d2[i];
        const float low = v < a ? v : a, above = v > a ? v : a, kept = low > b ? low : b;
        const double w = weight[i];
        gain = __dadd_rn(gain, __dmul_rn(w, __dadd_rn((double)above, -(double)a)));
        keep = __dadd_rn(keep, __dmul_rn(w, __dadd_rn((double)kept, -(double)b)));
    }
    gain = scp_lanes_sum(gain);
    keep = scp_lanes_sum(keep);
    if (lane == 0 && at < n_pairs) {
        sums[2 * at] = gain;
        sums[2 * at + 1] = keep;
    }
}

/* ---- host ---- */

#define MAX_SETS ((size_t)1 << 22) /* per launch */

enum scp_status scp_cuda_score_on_device(struct scp_cuda_selection *s, double *scores,
                                         const float *base, const uint32_t *sets, size_t width,
                                         size_t n_sets) {
    if (n_sets == 0) return SCP_OK;
    const auto kernel = width == 1   ? score_kernel<1>
                        : width <= 3 ? score_kernel<3>
                        : width <= 5 ? score_kernel<5>
                        : width <= 8 ? score_kernel<8>
                                     : score_kernel<0>;
    SCP_CUDA(launch(kernel, scp_blocks(8 * n_sets), SCP_SELECTION_THREADS, 0, nullptr, scores,
                    s->values.get(), s->weights.get(), base, s->q, sets, (uint32_t)width, n_sets));
    return SCP_OK;
}

extern "C" enum scp_status scp_cuda_selection_open(struct scp_cuda_selection **out, int device,
                                                   const struct scp_cuda_problem *problem) {
    *out = nullptr;
    SCP_CUDA(cudaSetDevice(device));
    struct scp_cuda_selection *s = new (std::nothrow) scp_cuda_selection();
    if (!s) return SCP_ENOMEM;
    s->device = device;
    s->n = problem->n;
    s->q = problem->q;
    const auto copy = [&]()->enum scp_status {
        SCP_TRY(s->values.upload(problem->values, s->n * s->q));
        SCP_TRY(s->weights.upload(problem->weights, s->q));
        SCP_TRY(s->base.upload(problem->base, s->q));
        s->screen = s->values.get();
        if (problem->screen == problem->values) return SCP_OK;
        SCP_TRY(s->screen_owned.upload(problem->screen, s->n * s->q));
        s->screen = s->screen_owned.get();
        return SCP_OK;
    };
    const enum scp_status status = copy();
    if (status != SCP_OK)
        delete s;
    else
        *out = s;
    return status;
}

extern "C" void scp_cuda_selection_close(struct scp_cuda_selection *s) {
    if (s) cudaSetDevice(s->device);
    delete s;
}

extern "C" enum scp_status scp_cuda_score_sets(struct scp_cuda_selection *s, double *scores,
                                               const uint32_t *sets, size_t width, size_t n_sets) {
    SCP_CUDA(cudaSetDevice(s->device));
    for (size_t at = 0; at < n_sets; at += MAX_SETS) {
        const size_t size = n_sets - at < MAX_SETS ? n_sets - at : MAX_SETS;
        SCP_TRY(s->sets.upload(sets + at * width, size * width));
        SCP_TRY(s->scores.make(size));
        SCP_TRY(scp_cuda_score_on_device(s, s->scores.get(), s->base.get(), s->sets.get(), width,
                                         size));
        SCP_TRY(s->scores.download(scores + at, size));
    }
    return SCP_OK;
}

extern "C" enum scp_status scp_cuda_score_draws(struct scp_cuda_selection *s, double *scores,
                                                const struct scp_cuda_draws *draws) {
    const size_t m = draws->m;
    SCP_CUDA(cudaSetDevice(s->device));
    SCP_TRY(s->rows.upload(draws->open, draws->n_open));
    SCP_TRY(s->included.upload(draws->included, draws->n_included));
    for (size_t at = 0; at < draws->count; at += MAX_SETS) {
        const size_t size = draws->count - at < MAX_SETS ? draws->count - at : MAX_SETS;
        SCP_TRY(s->sets.make(size * m));
        SCP_TRY(s->scores.make(size));
        SCP_CUDA(launch(draw_kernel, scp_blocks(size), SCP_SELECTION_THREADS, 0, nullptr,
                        s->sets.get(), s->rows.get(), (uint32_t)draws->n_open, s->included.get(),
                        (uint32_t)draws->n_included, (uint32_t)m, draws->seed, draws->first + at,
                        size));
        SCP_TRY(
            scp_cuda_score_on_device(s, s->scores.get(), s->base.get(), s->sets.get(), m, size));
        SCP_TRY(s->scores.download(scores + at, size));
    }
    return SCP_OK;
}

extern "C" enum scp_status scp_cuda_score_rows(struct scp_cuda_selection *s, double *scores,
                                               const float *best, const uint32_t *rows,
                                               size_t n_rows) {
    SCP_CUDA(cudaSetDevice(s->device));
    SCP_TRY(s->best.upload(best, s->q));
    SCP_TRY(s->sets.upload(rows, n_rows));
    SCP_TRY(s->scores.make(n_rows));
    SCP_TRY(scp_cuda_score_on_device(s, s->scores.get(), s->best.get(), s->sets.get(), 1, n_rows));
    return s->scores.download(scores, n_rows);
}

/* Uploads the clients and sums them for every pair of row and slot: sums[n_rows * n_slots][2]. */
static enum scp_status sum_pairs(struct scp_cuda_selection *s, double *sums, uint32_t *starts,
                                 const uint32_t *rows, size_t n_rows,
                                 const struct scp_cuda_clients *c) {
    const size_t total = c->start[c->n_slots], n_pairs = n_rows * c->n_slots;
    for (size_t k = 0; k <= c->n_slots; k++) starts[k] = (uint32_t)c->start[k];
    SCP_TRY(s->start.upload(starts, c->n_slots + 1));
    SCP_TRY(s->rows.upload(rows, n_rows));
    SCP_TRY(s->client.upload(c->client, total));
    SCP_TRY(s->d1.upload(c->d1, total));
    SCP_TRY(s->d2.upload(c->d2, total));
    SCP_TRY(s->weight.upload(c->weight, total));
    SCP_TRY(s->sums.make(2 * n_pairs));
    SCP_CUDA(launch(exchange_kernel, scp_blocks(8 * n_pairs), SCP_SELECTION_THREADS, 0, nullptr,
                    s->sums.get(), s->values.get(), s->q, s->rows.get(), n_pairs,
                    (uint32_t)c->n_slots, s->start.get(), s->client.get(), s->d1.get(), s->d2.get(),
                    s->weight.get()));
    return s->sums.download(sums, 2 * n_pairs);
}

extern "C" enum scp_status scp_cuda_exchange(struct scp_cuda_selection *s, double *gain,
                                             double *keep, double sign, const uint32_t *rows,
                                             size_t n_rows,
                                             const struct scp_cuda_clients *clients) {
    const size_t *start = clients->start, n_slots = clients->n_slots;
    const size_t total = start[n_slots], n_pairs = n_rows * n_slots;
    if (total == 0 || n_pairs == 0) return SCP_OK;
    if (total >= UINT32_MAX) return scp_cuda_refuse("more than 2^32 clients");
    SCP_CUDA(cudaSetDevice(s->device));
    uint32_t *starts = new (std::nothrow) uint32_t[n_slots + 1];
    double *sums = new (std::nothrow) double[2 * n_pairs];
    const enum scp_status status =
        starts && sums ? sum_pairs(s, sums, starts, rows, n_rows, clients) : SCP_ENOMEM;
    for (size_t i = 0; status == SCP_OK && i < n_rows; i++)
        for (size_t k = 0; k < n_slots; k++) {
            if (start[k + 1] == start[k]) continue;
            gain[i] += sign * sums[2 * (i * n_slots + k)];
            keep[i * n_slots + k] += sign * sums[2 * (i * n_slots + k) + 1];
        }
    delete[] starts;
    delete[] sums;
    return status;
}
