/* Vectors are checked as the CPU checks them, then copied to bfloat16 in the order of the screen.
 */
#include "exact.cuh"

using scp_device::launch;
using scp_device::load16;
using scp_device::pointer;

#define THREADS 256u
#define UNIT_LIMIT 1.001f /* as csrc/match/queries.h */

static unsigned blocks_of(uint64_t threads) {
    return (unsigned)((threads + THREADS - 1) / THREADS);
}

/* Half a warp per vector. */
__global__ __launch_bounds__(THREADS) void check_kernel(pointer<uint32_t> flag,
                                                        pointer<const float> vectors,
                                                        pointer<const float> norms, uint64_t count,
                                                        uint32_t channels) {
    const uint64_t at = ((uint64_t)blockIdx.x * THREADS + threadIdx.x) / 16;
    const uint64_t i = at < count ? at : count - 1;
    const unsigned lane = threadIdx.x % 16;
    const pointer<const float> v = vectors + i * channels;
    const float length = scp_exact_dot(v, v, channels, lane), norm = norms[i];
    if (lane == 0 && !(length <= UNIT_LIMIT && norm >= 0 && norm < INFINITY)) atomicOr(flag, 1u);
}

/* To the nearest bfloat16, ties to even; finite numbers. */
static __device__ __forceinline__ uint32_t bfloat(float x) {
    const uint32_t bits = __float_as_uint(x);
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

static __device__ __forceinline__ uint32_t two(float low, float high) {
    return bfloat(low) | bfloat(high) << 16;
}

__global__ __launch_bounds__(THREADS) void pack_queries_kernel(pointer<uint4> fragments,
                                                               pointer<const float> queries,
                                                               scp_match_shape s) {
    const uint64_t at = (uint64_t)blockIdx.x * THREADS + threadIdx.x;
    const uint32_t parts = s.padded / 16;
    if (at >= (uint64_t)s.tiles * s.levels * parts * 32) return;
    const uint32_t lane = (uint32_t)(at % 32), part = (uint32_t)(at / 32 % parts);
    const uint32_t level = (uint32_t)(at / 32 / parts % s.levels);
    const uint64_t tile = at / 32 / parts / s.levels;
    const uint32_t column = part * 16 + 2 * (lane % 4);
    float v[2][4] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
    for (unsigned half = 0; half < 2; half++) {
        const uint64_t q = tile * 16 + lane / 4 + 8 * half;
        if (q >= s.queries || column >= s.channels) continue;
        const pointer<const float> from = queries + (q * s.levels + level) * s.channels + column;
        v[half][0] = from[0], v[half][1] = from[1];
        v[half][2] = from[8], v[half][3] = from[9];
    }
    fragments[at] = make_uint4(two(v[0][0], v[0][1]), two(v[1][0], v[1][1]), two(v[0][2], v[0][3]),
                               two(v[1][2], v[1][3]));
}

__global__ __launch_bounds__(THREADS) void pack_cells_kernel(pointer<uint4> cells,
                                                             pointer<const float> features,
                                                             pointer<const float> norms,
                                                             pointer<const scp_slot> slots,
                                                             scp_match_shape s) {
    const uint64_t at = (uint64_t)blockIdx.x * THREADS + threadIdx.x;
    const uint32_t chunks = s.padded / 8;
    const uint64_t row = at / chunks; /* of all groups */
    if (row >= (uint64_t)s.quads * s.groups * 16) return;
    const uint32_t chunk = (uint32_t)(at % chunks), in_group = (uint32_t)(row % 16);
    const scp_slot slot = slots[row % ((uint64_t)s.groups * 16)];
    const uint32_t root = (uint32_t)(row / ((uint64_t)s.groups * 16)) * 4 + slot.tree;
    uint4 packed = make_uint4(0, 0, 0, 0);
    if (root < s.roots && chunk * 8 < s.channels) {
        uint64_t cell = 0; /* cells of the levels before */
        for (uint32_t d = 0; d < slot.level; d++) cell += (uint64_t)s.roots << 2 * d;
        const uint64_t y = (((uint64_t)root / s.width) << slot.level) + slot.y;
        const uint64_t x = (((uint64_t)root % s.width) << slot.level) + slot.x;
        cell += y * ((uint64_t)s.width << slot.level) + x;
        const float n = __fmul_rn(norms[cell], s.max_norms[slot.level]);
        const float m = __fadd_rn(n, s.epsilon);
        float scale = n > 0 ? __fdiv_rn(n, m > SCP_SMALLEST ? m : SCP_SMALLEST) : 0;
        if (!(n < INFINITY)) scale = 1;
        const pointer<const float> from = features + cell * s.channels + chunk * 8;
        const float4 a = load16<float4, float>(from, 0), b = load16<float4, float>(from, 4);
        packed = make_uint4(two(__fmul_rn(a.x, scale), __fmul_rn(a.y, scale)),
                            two(__fmul_rn(a.z, scale), __fmul_rn(a.w, scale)),
                            two(__fmul_rn(b.x, scale), __fmul_rn(b.y, scale)),
                            two(__fmul_rn(b.z, scale), __fmul_rn(b.w, scale)));
    }
    const unsigned place =
        chunks == 4 ? scp_swizzle<4>(in_group, chunk) : scp_swizzle<8>(in_group, chunk);
    cells[row * chunks + place] = packed;
}

enum scp_status scp_launch_check(uint32_t *flag, const float *vectors, const float *norms,
                                 size_t count, uint32_t channels, cudaStream_t stream) {
    if (count == 0) return SCP_OK;
    SCP_CUDA(launch(check_kernel, blocks_of(16 * (uint64_t)count), THREADS, 0, stream, flag,
                    vectors, norms, count, channels));
    return SCP_OK;
}

enum scp_status scp_launch_pack_queries(uint4 *fragments, const float *queries,
                                        const scp_match_shape &s, cudaStream_t stream) {
    const uint64_t threads = (uint64_t)s.tiles * s.levels * s.padded * 2;
    SCP_CUDA(
        launch(pack_queries_kernel, blocks_of(threads), THREADS, 0, stream, fragments, queries, s));
    return SCP_OK;
}

enum scp_status scp_launch_pack_cells(uint4 *cells, const float *features, const float *norms,
                                      const scp_slot *slots, const scp_match_shape &s,
                                      cudaStream_t stream) {
    const uint64_t threads = (uint64_t)s.quads * s.groups * 2 * s.padded;
    SCP_CUDA(launch(pack_cells_kernel, blocks_of(threads), THREADS, 0, stream, cells, features,
                    norms, slots, s));
    return SCP_OK;
}
