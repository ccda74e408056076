/* The screen: for every query and every root an upper bound of the similarity of any cell below,
 * from bfloat16 products on tensor cores. The five levels are fused: a group's products start at
 * the slack that bounds all rounding (docs/how-to/gpu.md), are multiplied with their parents'
 * bounds and become the parents of the next level; only the largest of a root's leaves leaves the
 * chip.
 *
 * A block has 4 warps and 64 MT queries; a warp has 16 MT queries, a thread 2 MT of them, in one
 * tree of the quad. Cells stream through shared memory by asynchronous copies, 4 stages of 8 KiB;
 * the queries' vectors of the finest level stay in registers, those of coarser levels (a quarter of
 * the work) come from the first cache level. Bounds of upper levels lie in shared memory, one
 * column per thread. */
#include "similarity.cuh"

using scp_device::copy_async16;
using scp_device::copy_commit;
using scp_device::copy_wait;
using scp_device::launch;
using scp_device::load_tiles;
using scp_device::multiply_tile;
using scp_device::pointer;
using scp_device::shared_memory;

/* Bounds of level d that wait for their children: one of level 0, four of the levels below. */
static __host__ __device__ __forceinline__ unsigned stack_slot(unsigned level, unsigned child) {
    return level == 0 ? 0 : 4 * level - 3 + child;
}

/* Slots of all levels that have grandchildren. */
static __host__ __device__ __forceinline__ unsigned stack_slots(unsigned levels) {
    return levels < 3 ? 1 : 4 * (levels - 3) + 1;
}

template <int PADDED, int MT> struct tile {
    static constexpr int PARTS = PADDED / 16, CHUNKS = PADDED / 8;
    static constexpr unsigned GROUP = 16 * CHUNKS; /* 16-byte vectors of a group */
    static constexpr unsigned GROUPS = SCP_STAGE16 / GROUP;
};

/* The cells of a quad, group after group, through the stages in shared memory. */
template <int PADDED, int MT> struct stream {
    using T = tile<PADDED, MT>;
    pointer<uint4> stages;
    pointer<const uint4> cells;
    unsigned total, group; /* 16-byte vectors of the quad; groups handed out */

    __device__ __forceinline__ void load(unsigned stage) {
        SCP_UNROLL
        for (unsigned i = 0; i < SCP_STAGE16; i += SCP_MATCH_THREADS) {
            const unsigned at = i + threadIdx.x, from = stage * SCP_STAGE16 + at;
            if (from < total)
                copy_async16<uint4>(stages + (stage % SCP_STAGES * SCP_STAGE16 + at), cells + from);
        }
        copy_commit();
    }
    __device__ __forceinline__ void start() {
        group = 0;
        for (unsigned stage = 0; stage + 1 < SCP_STAGES; stage++) load(stage);
    }
    /* Where the next group begins in the stages. All threads call it together. */
    __device__ __forceinline__ unsigned next() {
        const unsigned stage = group / T::GROUPS;
        if (group % T::GROUPS == 0) {
            copy_wait<SCP_STAGES - 2>();
            __syncthreads(); /* copies of all threads are here; nobody reads the oldest stage */
            load(stage + SCP_STAGES - 1);
        }
        return stage % SCP_STAGES * SCP_STAGE16 + group++ % T::GROUPS * T::GROUP;
    }
};

/* acc = slack + queries x cells of one group; a: fragments of the part-th 16 channels. */
template <int PADDED, int MT, class A>
static __device__ __forceinline__ void multiply(float (&acc)[MT][2][4], float slack, unsigned group,
                                                unsigned lane, A a) {
    using T = tile<PADDED, MT>;
    const pointer<const uint16_t> rows =
        shared_memory<const uint16_t>(0, SCP_STAGES * SCP_STAGE16 * 8);
    const unsigned row = lane / 16 * 8 + lane % 8, half = lane / 8 % 2;
    SCP_UNROLL
    for (int m = 0; m < MT; m++)
        for (int k = 0; k < 2; k++)
            for (int i = 0; i < 4; i++) acc[m][k][i] = slack;
    SCP_UNROLL
    for (int part = 0; part < T::PARTS; part++) {
        const unsigned chunk = scp_swizzle<T::CHUNKS>(row, 2 * (unsigned)part + half);
        const uint4 b = load_tiles(rows + 8 * (group + row * T::CHUNKS + chunk));
        SCP_UNROLL
        for (int m = 0; m < MT; m++) {
            const uint4 v = a(m, part);
            multiply_tile(acc[m][0], v, b.x, b.y);
            multiply_tile(acc[m][1], v, b.z, b.w);
        }
    }
}

/* Row k (of 2 MT) and child c (of 4) of a thread in the products of a group. */
#define PRODUCT(acc, k, c) acc[(k) / 2][(c) / 2][2 * ((k) % 2) + (c) % 2]
#define LARGEST(acc, k)                                                                            \
    fmaxf(fmaxf(PRODUCT(acc, k, 0), PRODUCT(acc, k, 1)),                                           \
          fmaxf(PRODUCT(acc, k, 2), PRODUCT(acc, k, 3)))

/* This lane's fragments: where those of level 0 begin, and those of the finest level. Tiles beyond
 * the last repeat it. */
template <int PADDED, int MT>
static __device__ __forceinline__ void
load_queries(uint64_t (&from)[MT], uint4 (&leaf)[MT][tile<PADDED, MT>::PARTS],
             pointer<const uint4> fragments, unsigned first_tile, unsigned lane,
             const scp_match_shape &s) {
    constexpr int PARTS = tile<PADDED, MT>::PARTS;
    SCP_UNROLL
    for (int m = 0; m < MT; m++) {
        const unsigned t = first_tile + m < s.tiles ? first_tile + m : s.tiles - 1;
        from[m] = (uint64_t)t * s.levels * PARTS * 32 + lane;
        SCP_UNROLL
        for (int part = 0; part < PARTS; part++)
            leaf[m][part] = fragments[from[m] + ((s.levels - 1) * PARTS + (unsigned)part) * 32];
    }
}

/* Bounds of a group of level d above the leaves: the products times those of the parents, to the
 * stack for levels that have more than leaves below. `child`: which one its parent is. */
template <int MT>
static __device__ __forceinline__ void bound_group(float (&parent)[4][2 * MT], pointer<float> stack,
                                                   const float (&acc)[MT][2][4], unsigned d,
                                                   unsigned child, bool above_leaves) {
    constexpr int ROWS = 2 * MT;
    SCP_UNROLL
    for (int k = 0; k < ROWS; k++) {
        float p = 1;
        if (d > 0) p = stack[(stack_slot(d - 1, child) * ROWS + k) * SCP_MATCH_THREADS];
        SCP_UNROLL
        for (int c = 0; c < 4; c++) parent[c][k] = __saturatef(p * PRODUCT(acc, k, c));
        if (above_leaves) continue;
        SCP_UNROLL
        for (unsigned c = 0; c < 4; c++)
            if (d > 0 || c == 0)
                stack[(stack_slot(d, c) * ROWS + k) * SCP_MATCH_THREADS] = parent[c][k];
    }
}

/* The largest product of level d so far, each level by itself. */
template <int MT>
static __device__ __forceinline__ void max_group(pointer<float> stack, const float (&acc)[MT][2][4],
                                                 unsigned d) {
    constexpr int ROWS = 2 * MT;
    SCP_UNROLL
    for (int k = 0; k < ROWS; k++) {
        const pointer<float> max = stack + (d * ROWS + k) * SCP_MATCH_THREADS;
        max[0] = fmaxf(max[0], LARGEST(acc, k));
    }
}

/* A thread's bounds to memory; `best` is the finest level's. */
template <int MT, bool PER_LEVEL>
static __device__ __forceinline__ void
write_bounds(pointer<float> bounds, pointer<float> stack, const float (&best)[2 * MT],
             unsigned first_tile, unsigned lane, const scp_match_shape &s) {
    constexpr int ROWS = 2 * MT;
    const unsigned width = 4 * s.quads, root = 4 * blockIdx.y + lane % 4, last = s.levels - 1;
    SCP_UNROLL
    for (int k = 0; k < ROWS; k++) {
        const unsigned query = 16 * (first_tile + (unsigned)k / 2) + 8 * (k % 2) + lane / 4;
        if (query >= s.queries) continue;
        if (!PER_LEVEL) {
            bounds[(uint64_t)query * width + root] = best[k];
            continue;
        }
        const pointer<float> out = bounds + (uint64_t)query * s.levels * width + root;
        for (unsigned d = 0; d < last; d++)
            out[d * width] = (float)stack[(d * ROWS + k) * SCP_MATCH_THREADS];
        out[last * width] = best[k];
    }
}

template <int PADDED, int MT, bool PER_LEVEL>
__global__ __launch_bounds__(SCP_MATCH_THREADS,
                             2) void screen_kernel(pointer<float> bounds,
                                                   pointer<const uint4> fragments,
                                                   pointer<const uint4> cells, scp_match_shape s) {
    using T = tile<PADDED, MT>;
    constexpr int ROWS = 2 * MT;
    const unsigned lane = threadIdx.x % 32, quad = blockIdx.y, last = s.levels - 1;
    const unsigned first_tile = (blockIdx.x * 4 + threadIdx.x / 32) * MT;
    const bool busy = first_tile < s.tiles; /* a whole warp */
    const unsigned slots = PER_LEVEL ? s.levels : stack_slots(s.levels);
    const pointer<float> stack =
        shared_memory<float>(SCP_STAGES * SCP_STAGE16 * 16, slots * ROWS * SCP_MATCH_THREADS) +
        threadIdx.x;
    stream<PADDED, MT> groups;
    groups.stages = shared_memory<uint4>(0, SCP_STAGES * SCP_STAGE16);
    groups.total = s.groups * T::GROUP;
    groups.cells = cells + (uint64_t)quad * groups.total;
    groups.start();

    uint64_t from[MT];
    uint4 leaf[MT][T::PARTS];
    load_queries<PADDED, MT>(from, leaf, fragments, first_tile, lane, s);
    const auto finest = [&](int m, int part) { return leaf[m][part]; };
    float acc[MT][2][4], best[ROWS], parent[4][ROWS];
    SCP_UNROLL
    for (int k = 0; k < ROWS; k++) {
        best[k] = 0;
        SCP_UNROLL
        for (int c = 0; c < 4; c++) parent[c][k] = 1;
        if (PER_LEVEL)
            for (unsigned d = 0; d < last; d++) stack[(d * ROWS + k) * SCP_MATCH_THREADS] = 0.0f;
    }

    /* A unit is a group of the level above the leaves, and the leaves below it. */
    const unsigned above = last ? last - 1 : 0, units = last >= 2 ? 1u << 2 * (last - 2) : 1;
    for (unsigned unit = 0; unit < units; unit++) {
        /* Groups that this unit opens: of the levels where a new node begins. */
        const unsigned top = unit ? above - (unsigned)(__ffs((int)unit) - 1) / 2 : 0;
        for (unsigned d = top; last && d <= above; d++) {
            const unsigned group = groups.next();
            if (!busy) continue;
            multiply<PADDED, MT>(acc, s.slack, group, lane, [&](int m, int part) {
                return fragments[from[m] + (d * T::PARTS + (unsigned)part) * 32];
            });
            if (PER_LEVEL)
                max_group<MT>(stack, acc, d);
            else
                bound_group<MT>(parent, stack, acc, d, unit >> 2 * (above - d) & 3, d == above);
        }
        SCP_UNROLL
        for (int c = 0; c < 4; c++) {
            if (c > 0 && last < 2) break; /* one group of leaves: the children of the root */
            const unsigned group = groups.next();
            if (!busy) continue;
            multiply<PADDED, MT>(acc, s.slack, group, lane, finest);
            SCP_UNROLL
            for (int k = 0; k < ROWS; k++) {
                const float product = LARGEST(acc, k);
                best[k] = fmaxf(best[k], PER_LEVEL ? product : parent[c][k] * product);
            }
        }
    }
    if (busy) write_bounds<MT, PER_LEVEL>(bounds, stack, best, first_tile, lane, s);
}

/* ---- host ---- */

static unsigned tiles_per_warp(uint32_t padded) {
    return padded <= 64 ? 4 : padded <= 128 ? 2 : 1;
}

size_t scp_screen_shared(const scp_match_shape &s, bool per_level) {
    const size_t slots = per_level ? s.levels : stack_slots(s.levels);
    return SCP_STAGES * SCP_STAGE16 * 16 +
           slots * 2 * tiles_per_warp(s.padded) * SCP_MATCH_THREADS * sizeof(float);
}

template <int PADDED, int MT>
static enum scp_status start(float *bounds, const uint4 *fragments, const uint4 *cells,
                             const scp_match_shape &s, bool per_level, cudaStream_t stream) {
    const dim3 grid((s.tiles + 4 * MT - 1) / (4 * MT), s.quads);
    SCP_CUDA(launch(per_level ? screen_kernel<PADDED, MT, true> : screen_kernel<PADDED, MT, false>,
                    grid, SCP_MATCH_THREADS, scp_screen_shared(s, per_level), stream, bounds,
                    fragments, cells, s));
    return SCP_OK;
}

enum scp_status scp_launch_screen(float *bounds, const uint4 *fragments, const uint4 *cells,
                                  const scp_match_shape &s, bool per_level, cudaStream_t stream) {
    switch (s.padded) {
    case 32:
        return start<32, 4>(bounds, fragments, cells, s, per_level, stream);
    case 64:
        return start<64, 4>(bounds, fragments, cells, s, per_level, stream);
    case 128:
        return start<128, 2>(bounds, fragments, cells, s, per_level, stream);
    case 256:
        return start<256, 1>(bounds, fragments, cells, s, per_level, stream);
    }
    return scp_cuda_refuse("features of more than 256 channels");
}
