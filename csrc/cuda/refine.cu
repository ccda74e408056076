/* Exact search below the roots whose bound reaches the best value: a warp per query, roots by
 * falling bound, each tree depth first, the best child first. Every number is computed with the
 * CPU's bits, and a product is never larger than one of its factors' prefixes, in float32 too, so
 * what is left out cannot change value or place. Lane 4 d + c keeps child c of level d. */
#include "exact.cuh"

using scp_device::launch;
using scp_device::pointer;
using scp_device::shared_memory;

#define ROUNDING 1.000001f /* as csrc/match/bilinear.c */
#define WARPS (SCP_MATCH_THREADS / 32)

struct best_match {
    float value;
    int place;
    __device__ __forceinline__ void take(float v, int p) {
        if (v > value || (v == value && p < place)) value = v, place = p;
    }
};

/* One query in one image. */
struct searcher {
    const scp_match_shape &s;
    pointer<const float> features, norms, query, query_norms;
    unsigned lane;
    float bound; /* of child lane % 4 at level lane / 4; -1: visited */

    /* Exact similarity at a cell, of each half warp its own. */
    __device__ __forceinline__ float at(unsigned d, unsigned y, unsigned x) const {
        uint64_t cell = 0;
        for (unsigned k = 0; k < d; k++) cell += (uint64_t)s.roots << 2 * k;
        cell += (uint64_t)y * (s.width << d) + x;
        const float dot = scp_exact_dot(query + d * s.channels, features + cell * s.channels,
                                        s.channels, lane % 16);
        return scp_exact_similarity(dot, query_norms[d], norms[cell], s.epsilon);
    }
    __device__ __forceinline__ float get(float x, unsigned from) const {
        return __shfl_sync(SCP_WHOLE_WARP, x, from);
    }
    /* The best child of level d that is not visited, its number in *child; it becomes visited. */
    __device__ __forceinline__ float pop(unsigned d, unsigned *child) {
        float best = get(bound, 4 * d);
        *child = 0;
        for (unsigned c = 1; c < 4; c++) {
            const float v = get(bound, 4 * d + c);
            if (v > best) best = v, *child = c;
        }
        if (lane == 4 * d + *child) bound = -1;
        return best;
    }
};

static __device__ __forceinline__ void search_nearest(best_match *best, searcher &w,
                                                      unsigned root) {
    const unsigned last = w.s.levels - 1, ry = root / w.s.width, rx = root % w.s.width;
    unsigned y = ry, x = rx, d = 0; /* the node whose children are expanded, and its level */
    float product = w.at(0, ry, rx);
    if (last == 0) {
        best->take(product, (int)root);
        return;
    }
    bool fresh = true;
    for (;;) {
        if (fresh) {
            for (unsigned pair = 0; pair < 2; pair++) { /* children 2 pair and 2 pair + 1 */
                const float c = w.at(d + 1, 2 * y + pair, 2 * x + w.lane / 16);
                const float v = __fmul_rn(product, c);
                const float left = w.get(v, 0), right = w.get(v, 16);
                if (w.lane == 4 * (d + 1) + 2 * pair) w.bound = left;
                if (w.lane == 4 * (d + 1) + 2 * pair + 1) w.bound = right;
            }
            fresh = false;
        }
        unsigned child;
        const float v = w.pop(d + 1, &child);
        if (!(v >= best->value && v > 0)) {
            if (d == 0) return;
            d--, y /= 2, x /= 2;
            continue;
        }
        const unsigned cy = 2 * y + child / 2, cx = 2 * x + child % 2;
        if (d + 1 == last) {
            best->take(v, (int)(cy * (w.s.width << last) + cx));
            continue;
        }
        d++, y = cy, x = cx;
        product = v;
        fresh = true;
    }
}

/* Bilinear: a pixel below a node reads, at that node's level, only the node and its neighbours:
 * around[d][3 * i + j] keeps them, cell (y + i - 1, x + j - 1), borders replicated.
 *
 * One axis of bilinear upsampling by 2^shift, relative to the cell that holds the pixel: the lower
 * neighbour is entry *low of the three, the upper *high. */
static __device__ __forceinline__ float axis(unsigned pixel, unsigned shift, unsigned size,
                                             unsigned *low, unsigned *high) {
    float source =
        ((float)pixel + 0.5f) * ((float)(1u << (31 - shift)) * 0x1p-31f) - 0.5f; /* exact */
    if (source < 0) source = 0;
    const unsigned lower = (unsigned)source, cell = pixel >> shift;
    *low = lower - cell + 1;
    *high = (lower + 1 < size ? lower + 1 : size - 1) - cell + 1;
    return __fsub_rn(source, (float)lower);
}

static __device__ __forceinline__ float between(pointer<const float> c, unsigned y0, unsigned y1,
                                                unsigned x0, unsigned x1, float v, float u) {
    const float v_ = __fsub_rn(1, v), u_ = __fsub_rn(1, u);
    const float upper = __fadd_rn(__fmul_rn(u_, c[3 * y0 + x0]), __fmul_rn(u, c[3 * y0 + x1]));
    const float lower = __fadd_rn(__fmul_rn(u_, c[3 * y1 + x0]), __fmul_rn(u, c[3 * y1 + x1]));
    return __fadd_rn(__fmul_rn(v_, upper), __fmul_rn(v, lower));
}

static __device__ __forceinline__ float pixel_value(const searcher &w, pointer<const float> around,
                                                    unsigned y, unsigned x) {
    float product = 1;
    for (unsigned d = 0; d < w.s.levels && product > 0; d++) {
        unsigned y0, y1, x0, x1;
        const float v = axis(y, w.s.levels - d, w.s.height << d, &y0, &y1);
        const float u = axis(x, w.s.levels - d, w.s.width << d, &x0, &x1);
        product = __fmul_rn(product, between(around + 9 * d, y0, y1, x0, x1, v, u));
    }
    return product;
}

/* The largest value of level d among the side x side pixels at (y, x), inside one quadrant of the
 * node's cell, where the level is bilinear: in a corner (csrc/match/bilinear.c). */
static __device__ __forceinline__ float square_max(const scp_match_shape &s,
                                                   pointer<const float> around, unsigned d,
                                                   unsigned y, unsigned x, unsigned side) {
    const pointer<const float> c = around + 9 * d;
    const unsigned shift = s.levels - d;
    unsigned y0, y1, x0, x1; /* the same at both ends */
    const float v[2] = {axis(y, shift, s.height << d, &y0, &y1),
                        axis(y + side - 1, shift, s.height << d, &y0, &y1)};
    const float u[2] = {axis(x, shift, s.width << d, &x0, &x1),
                        axis(x + side - 1, shift, s.width << d, &x0, &x1)};
    float value = 0;
    SCP_UNROLL
    for (int corner = 0; corner < 4; corner++)
        value = fmaxf(value, between(c, y0, y1, x0, x1, v[corner / 2], u[corner % 2]));
    return __fmul_rn(value, ROUNDING);
}

/* Fills around[d] for cell (y, x). */
static __device__ __forceinline__ void load_neighbours(const searcher &w, pointer<float> around,
                                                       unsigned d, unsigned y, unsigned x) {
    const unsigned rows = w.s.height << d, columns = w.s.width << d;
    __syncwarp();                                  /* nobody reads the old neighbours any more */
    for (unsigned round = 0; round < 5; round++) { /* nine cells, two at a time */
        const unsigned i = 2 * round + w.lane / 16 < 9 ? 2 * round + w.lane / 16 : 8;
        unsigned cy = y + i / 3, cx = x + i % 3; /* one too many */
        cy = cy ? (cy <= rows ? cy - 1 : rows - 1) : 0;
        cx = cx ? (cx <= columns ? cx - 1 : columns - 1) : 0;
        const float c = w.at(d, cy, cx);
        if (w.lane % 16 == 0 && 2 * round + w.lane / 16 < 9) around[9 * d + i] = c;
    }
    __syncwarp();
}

/* The first incumbent: the best of the pixels in a cell of the finest level. */
static __device__ __forceinline__ void find_incumbent(best_match *best, const searcher &w,
                                                      pointer<float> around, unsigned cell) {
    const unsigned last = w.s.levels - 1, width = w.s.width << last;
    const unsigned y = cell / width, x = cell % width;
    for (unsigned d = 0; d <= last; d++)
        load_neighbours(w, around, d, y >> (last - d), x >> (last - d));
    for (unsigned pixel = 0; pixel < 4; pixel++) {
        const unsigned py = 2 * y + pixel / 2, px = 2 * x + pixel % 2;
        best->take(pixel_value(w, around, py, px), (int)(py * 2 * width + px));
    }
}

static __device__ __forceinline__ void search_bilinear(best_match *best, searcher &w,
                                                       pointer<float> around, unsigned root) {
    const unsigned last = w.s.levels - 1;
    unsigned y = root / w.s.width, x = root % w.s.width, d = 0;
    bool fresh = true;
    for (;;) {
        if (fresh) {
            load_neighbours(w, around, d, y, x);
            const unsigned level = w.lane / 4, side = 1u << (last - d), child = w.lane % 4;
            float bound = level <= d ? square_max(w.s, around, level, (2 * y + child / 2) * side,
                                                  (2 * x + child % 2) * side, side)
                                     : 1;
            for (unsigned levels = 4; levels < 32; levels *= 2)
                bound = __fmul_rn(bound, __shfl_xor_sync(SCP_WHOLE_WARP, bound, levels));
            if (level == d) w.bound = bound;
            fresh = false;
        }
        unsigned child;
        const float v = w.pop(d, &child);
        if (!(v >= best->value && v > 0)) {
            if (d == 0) return;
            d--, y /= 2, x /= 2;
            continue;
        }
        const unsigned cy = 2 * y + child / 2, cx = 2 * x + child % 2;
        if (d == last) {
            best->take(pixel_value(w, around, cy, cx), (int)(cy * (2 * (w.s.width << last)) + cx));
            continue;
        }
        d++, y = cy, x = cx;
        fresh = true;
    }
}

template <bool BILINEAR>
__global__ __launch_bounds__(SCP_MATCH_THREADS, 8) void refine_kernel(
    pointer<float> value, pointer<int32_t> index, pointer<const float> bounds,
    pointer<const float> features, pointer<const float> norms, pointer<const float> queries,
    pointer<const float> query_norms, scp_match_shape s) {
    const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const uint64_t q = (uint64_t)blockIdx.x * WARPS + warp;
    if (q >= s.queries) return; /* a whole warp */
    pointer<float> around =
        shared_memory<float>(warp * 9 * SCP_MATCH_MAX_LEVELS * 4, 9 * SCP_MATCH_MAX_LEVELS);
    searcher w = {
        s,    features, norms, queries + q * s.levels * s.channels, query_norms + q * s.levels,
        lane, -1};
    const pointer<const float> mine = bounds + q * 4 * s.quads;
    best_match best = {0, INT32_MAX};
    if (BILINEAR) find_incumbent(&best, w, around, (unsigned)index[q]);
    float after = INFINITY;
    unsigned after_root = 0;
    bool first = true;
    for (;;) { /* the next root by falling bound, ties by rising number */
        float bound = -1;
        unsigned root = UINT32_MAX;
        for (unsigned i = lane; i < s.roots; i += 32) {
            const float b = mine[i];
            const bool later = first || b < after || (b == after && i > after_root);
            if (later && b > bound) bound = b, root = i;
        }
        for (unsigned half = 16; half > 0; half /= 2) {
            const float other = __shfl_xor_sync(SCP_WHOLE_WARP, bound, half);
            const unsigned other_root = __shfl_xor_sync(SCP_WHOLE_WARP, root, half);
            if (other > bound || (other == bound && other_root < root))
                bound = other, root = other_root;
        }
        if (!(bound >= best.value && bound > 0)) break;
        if (BILINEAR)
            search_bilinear(&best, w, around, root);
        else
            search_nearest(&best, w, root);
        after = bound, after_root = root, first = false;
    }
    if (lane == 0) {
        value[q] = best.value;
        index[q] = best.value > 0 ? best.place : 0;
    }
}

__global__ __launch_bounds__(SCP_MATCH_THREADS) void spread_kernel(pointer<float> bounds,
                                                                   pointer<const float> per_level,
                                                                   scp_match_shape s) {
    const uint64_t at = (uint64_t)blockIdx.x * SCP_MATCH_THREADS + threadIdx.x;
    const uint64_t width = 4 * s.quads, q = at / width;
    if (q >= s.queries) return;
    const unsigned root = (unsigned)(at % width), y = root / s.width, x = root % s.width;
    float product = root < s.roots ? 1 : 0; /* quads are filled up */
    for (unsigned d = 0; d < s.levels; d++) {
        float level_max = 0;
        for (unsigned j = y ? y - 1 : 0; j <= y + 1 && j < s.height; j++)
            for (unsigned i = x ? x - 1 : 0; i <= x + 1 && i < s.width; i++)
                level_max =
                    fmaxf(level_max, per_level[(q * s.levels + d) * width + j * s.width + i]);
        product = __fmul_rn(product, __fmul_rn(fminf(level_max, 1.0f), ROUNDING));
    }
    bounds[q * width + root] = product;
}

enum scp_status scp_launch_spread(float *bounds, const float *per_level, const scp_match_shape &s,
                                  cudaStream_t stream) {
    const uint64_t threads = (uint64_t)s.queries * 4 * s.quads;
    SCP_CUDA(launch(spread_kernel,
                    (unsigned)((threads + SCP_MATCH_THREADS - 1) / SCP_MATCH_THREADS),
                    SCP_MATCH_THREADS, 0, stream, bounds, per_level, s));
    return SCP_OK;
}

enum scp_status scp_launch_refine(float *value, int32_t *index, const float *bounds,
                                  const scp_exact_inputs &inputs, const scp_match_shape &s,
                                  bool bilinear, cudaStream_t stream) {
    SCP_CUDA(launch(bilinear ? refine_kernel<true> : refine_kernel<false>,
                    (s.queries + WARPS - 1) / WARPS, SCP_MATCH_THREADS,
                    WARPS * 9 * SCP_MATCH_MAX_LEVELS * sizeof(float), stream, value, index, bounds,
                    inputs.features, inputs.norms, inputs.queries, inputs.query_norms, s));
    return SCP_OK;
}
