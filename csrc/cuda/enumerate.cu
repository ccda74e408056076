/* All sets of m <= 5 rows whose sum of rho is at least min_sum (csrc/select/enumerate.c says why
 * they are enough), and their scores. Rows come by falling rho, so a loop ends where the best
 * continuation fails: float addition is monotone, nothing is lost to rounding. A thread takes the
 * sets of one first pair; a first pass counts, a second fills, so the order is always the same. */
#include "selection.cuh"

#include <new>

using scp_device::launch;
using scp_device::pointer;

/* Calls found(c, d, e) for every set {a, b, ...} that sums up to min_sum, in lexicographic order.
 */
template <class F>
static __device__ __forceinline__ void extend(pointer<const double> rho, uint32_t n, uint32_t m,
                                              double min_sum, uint32_t a, uint32_t b, F found) {
    const double two = __dadd_rn(rho[a], rho[b]);
    if (m == 2) {
        if (two >= min_sum) found(0u, 0u, 0u);
        return;
    }
    for (uint32_t c = b + 1; c + (m - 3) < n; c++) {
        const double three = __dadd_rn(two, rho[c]);
        double bound = three;
        for (uint32_t k = 1; k <= m - 3; k++) bound = __dadd_rn(bound, rho[c + k]);
        if (!(bound >= min_sum)) return;
        if (m == 3) {
            found(c, 0u, 0u);
            continue;
        }
        for (uint32_t d = c + 1; d + (m - 4) < n; d++) {
            const double four = __dadd_rn(three, rho[d]);
            if (m == 4) {
                if (!(four >= min_sum)) break;
                found(c, d, 0u);
                continue;
            }
            if (!(__dadd_rn(four, rho[d + 1]) >= min_sum)) break;
            for (uint32_t e = d + 1; e < n; e++) {
                if (!(__dadd_rn(four, rho[e]) >= min_sum)) break;
                found(c, d, e);
            }
        }
    }
}

#define MAX_COUNT 0x7fffffffu /* counts stop here */

__global__ __launch_bounds__(SCP_SELECTION_THREADS) void count_kernel(pointer<uint32_t> counts,
                                                                      pointer<const double> rho,
                                                                      uint32_t n, uint32_t m,
                                                                      double min_sum) {
    const uint64_t pair = (uint64_t)blockIdx.x * SCP_SELECTION_THREADS + threadIdx.x;
    if (pair >= (uint64_t)n * n) return;
    const uint32_t a = (uint32_t)(pair / n), b = (uint32_t)(pair % n);
    uint32_t count = 0;
    if (a < b)
        extend(rho, n, m, min_sum, a, b,
               [&](uint32_t, uint32_t, uint32_t) { count += count < MAX_COUNT ? 1u : 0u; });
    counts[pair] = count;
}

__global__ __launch_bounds__(SCP_SELECTION_THREADS) void fill_kernel(
    pointer<uint32_t> sets, pointer<const uint64_t> offsets, pointer<const uint32_t> rows,
    pointer<const double> rho, uint32_t n, uint32_t m, double min_sum, uint64_t first,
    uint64_t end) {
    const uint64_t pair = first + (uint64_t)blockIdx.x * SCP_SELECTION_THREADS + threadIdx.x;
    if (pair >= end) return;
    const uint32_t a = (uint32_t)(pair / n), b = (uint32_t)(pair % n);
    if (a >= b) return;
    pointer<uint32_t> out = sets + offsets[pair - first] * m;
    extend(rho, n, m, min_sum, a, b, [&](uint32_t c, uint32_t d, uint32_t e) {
        out[0] = rows[a];
        out[1] = rows[b];
        if (m > 2) out[2] = rows[c];
        if (m > 3) out[3] = rows[d];
        if (m > 4) out[4] = rows[e];
        out = out + m;
    });
}

/* counts[n * n]: sets of every first pair. */
static enum scp_status count_sets(struct scp_cuda_selection *s, uint32_t *counts,
                                  const struct scp_cuda_enumeration *r) {
    const size_t pairs = r->n * r->n;
    SCP_TRY(s->sorted.upload(r->rho, r->n));
    SCP_TRY(s->rows.upload(r->rows, r->n));
    SCP_TRY(s->counts.make(pairs));
    SCP_CUDA(launch(count_kernel, scp_blocks(pairs), SCP_SELECTION_THREADS, 0, nullptr,
                    s->counts.get(), s->sorted.get(), (uint32_t)r->n, (uint32_t)r->m, r->min_sum));
    return s->counts.download(counts, pairs);
}

/* The `total` sets of pairs first .. end - 1, and their scores. */
static enum scp_status fill_sets(struct scp_cuda_selection *s, uint32_t *sets, double *scores,
                                 const uint64_t *offsets, size_t first, size_t end, size_t total,
                                 const struct scp_cuda_enumeration *r) {
    SCP_TRY(s->offsets.upload(offsets, end - first));
    SCP_TRY(s->sets.make(total * r->m));
    SCP_TRY(s->scores.make(total));
    SCP_CUDA(launch(fill_kernel, scp_blocks(end - first), SCP_SELECTION_THREADS, 0, nullptr,
                    s->sets.get(), s->offsets.get(), s->rows.get(), s->sorted.get(), (uint32_t)r->n,
                    (uint32_t)r->m, r->min_sum, first, end));
    SCP_TRY(
        scp_cuda_score_on_device(s, s->scores.get(), s->base.get(), s->sets.get(), r->m, total));
    SCP_TRY(s->sets.download(sets, total * r->m));
    return s->scores.download(scores, total);
}

extern "C" enum scp_status scp_cuda_enumerate(struct scp_cuda_selection *s, uint32_t *sets,
                                              double *scores, size_t *found, size_t *pair,
                                              const struct scp_cuda_enumeration *range) {
    const size_t pairs = range->n * range->n, first = *pair;
    if (range->m < 2 || range->m > 5) return scp_cuda_refuse("sets of 2 to 5 rows are enumerated");
    if (range->n > 8192) return scp_cuda_refuse("at most 8192 rows are enumerated");
    SCP_CUDA(cudaSetDevice(s->device));
    *found = 0;
    uint32_t *counts = new (std::nothrow) uint32_t[pairs];
    uint64_t *offsets = new (std::nothrow) uint64_t[pairs];
    enum scp_status status = counts && offsets ? count_sets(s, counts, range) : SCP_ENOMEM;
    if (status == SCP_OK) {
        size_t end = first, total = 0;
        for (; end < pairs && total + counts[end] <= range->room; end++) {
            offsets[end - first] = total;
            total += counts[end];
        }
        if (end == first && first < pairs) {
            status = SCP_ENOMEM;
        } else {
            *pair = end;
            *found = total;
            if (total > 0) status = fill_sets(s, sets, scores, offsets, first, end, total, range);
        }
    }
    delete[] counts;
    delete[] offsets;
    return status;
}
