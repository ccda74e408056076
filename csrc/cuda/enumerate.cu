/* All sets of m <= 5 rows whose sum of rho reaches `least` (csrc/select/enumerate.c says why they
 * are enough), and their scores. Rows come by falling rho, so a loop ends where the best
 * continuation fails: float addition is monotone, nothing is lost to rounding. A thread takes the
 * sets of one first pair; a first pass counts, a second fills, so the order is always the same. */
#include "search.cuh"

#include <new>

using scp_device::launch;
using scp_device::pointer;

/* Calls found(c, d, e) for every set {a, b, ...} that reaches least, in lexicographic order. */
template <class F>
static __device__ __forceinline__ void extend(pointer<const double> rho, uint32_t n, uint32_t m,
                                              double least, uint32_t a, uint32_t b, F found) {
    const double two = __dadd_rn(rho[a], rho[b]);
    if (m == 2) {
        if (two >= least) found(0u, 0u, 0u);
        return;
    }
    for (uint32_t c = b + 1; c + (m - 3) < n; c++) {
        const double three = __dadd_rn(two, rho[c]);
        double bound = three;
        for (uint32_t k = 1; k <= m - 3; k++) bound = __dadd_rn(bound, rho[c + k]);
        if (!(bound >= least)) return;
        if (m == 3) {
            found(c, 0u, 0u);
            continue;
        }
        for (uint32_t d = c + 1; d + (m - 4) < n; d++) {
            const double four = __dadd_rn(three, rho[d]);
            if (m == 4) {
                if (!(four >= least)) break;
                found(c, d, 0u);
                continue;
            }
            if (!(__dadd_rn(four, rho[d + 1]) >= least)) break;
            for (uint32_t e = d + 1; e < n; e++) {
                if (!(__dadd_rn(four, rho[e]) >= least)) break;
                found(c, d, e);
            }
        }
    }
}

#define MANY 0x7fffffffu /* counts stop here */

__global__ __launch_bounds__(SCP_SEARCH_THREADS) void count_kernel(pointer<uint32_t> counts,
                                                                   pointer<const double> rho,
                                                                   uint32_t n, uint32_t m,
                                                                   double least) {
    const uint64_t pair = (uint64_t)blockIdx.x * SCP_SEARCH_THREADS + threadIdx.x;
    if (pair >= (uint64_t)n * n) return;
    const uint32_t a = (uint32_t)(pair / n), b = (uint32_t)(pair % n);
    uint32_t count = 0;
    if (a < b)
        extend(rho, n, m, least, a, b,
               [&](uint32_t, uint32_t, uint32_t) { count += count < MANY ? 1u : 0u; });
    counts[pair] = count;
}

__global__ __launch_bounds__(SCP_SEARCH_THREADS) void fill_kernel(
    pointer<uint32_t> sets, pointer<const uint64_t> offsets, pointer<const uint32_t> rows,
    pointer<const double> rho, uint32_t n, uint32_t m, double least, uint64_t first, uint64_t end) {
    const uint64_t pair = first + (uint64_t)blockIdx.x * SCP_SEARCH_THREADS + threadIdx.x;
    if (pair >= end) return;
    const uint32_t a = (uint32_t)(pair / n), b = (uint32_t)(pair % n);
    if (a >= b) return;
    pointer<uint32_t> out = sets + offsets[pair - first] * m;
    extend(rho, n, m, least, a, b, [&](uint32_t c, uint32_t d, uint32_t e) {
        out[0] = rows[a];
        out[1] = rows[b];
        if (m > 2) out[2] = rows[c];
        if (m > 3) out[3] = rows[d];
        if (m > 4) out[4] = rows[e];
        out = out + m;
    });
}

extern "C" enum scp_status scp_cuda_enumerate(struct scp_cuda_search *s, uint32_t *sets,
                                              double *scores, size_t *found, size_t *pair,
                                              const uint32_t *rows, const double *rho, size_t n,
                                              size_t m, double least, size_t room) {
    if (m < 2 || m > 5) return scp_cuda_refuse("sets of 2 to 5 rows are enumerated");
    if (n > 8192) return scp_cuda_refuse("at most 8192 rows are enumerated");
    SCP_CUDA(cudaSetDevice(s->device));
    const size_t pairs = n * n;
    *found = 0;
    uint32_t *counts = new (std::nothrow) uint32_t[pairs];
    uint64_t *offsets = new (std::nothrow) uint64_t[pairs];
    const auto work = [&]()->enum scp_status {
        if (!counts || !offsets) return SCP_ENOMEM;
        SCP_TRY(s->sorted.upload(rho, n));
        SCP_TRY(s->rows.upload(rows, n));
        SCP_TRY(s->counts.make(pairs));
        SCP_CUDA(launch(count_kernel, scp_blocks(pairs), SCP_SEARCH_THREADS, 0, nullptr,
                        s->counts.get(), s->sorted.get(), (uint32_t)n, (uint32_t)m, least));
        SCP_TRY(s->counts.download(counts, pairs));
        const size_t first = *pair;
        size_t end = first, total = 0;
        for (; end < pairs && total + counts[end] <= room; end++) {
            offsets[end - first] = total;
            total += counts[end];
        }
        if (end == first && first < pairs) return SCP_ENOMEM;
        *pair = end;
        *found = total;
        if (total == 0) return SCP_OK;
        SCP_TRY(s->offsets.upload(offsets, end - first));
        SCP_TRY(s->sets.make(total * m));
        SCP_TRY(s->scores.make(total));
        SCP_CUDA(launch(fill_kernel, scp_blocks(end - first), SCP_SEARCH_THREADS, 0, nullptr,
                        s->sets.get(), s->offsets.get(), s->rows.get(), s->sorted.get(),
                        (uint32_t)n, (uint32_t)m, least, first, end));
        SCP_TRY(
            scp_cuda_score_on_device(s, s->scores.get(), s->base.get(), s->sets.get(), m, total));
        SCP_TRY(s->sets.download(sets, total * m));
        return s->scores.download(scores, total);
    };
    const enum scp_status status = work();
    delete[] counts;
    delete[] offsets;
    return status;
}
