/* CUDA on the host, as much of it as csrc/cuda uses: the kernels are compiled as C++ and every
 * thread of a block runs as a fiber, block after block.
 *
 * What it catches, and says in cudaGetErrorString of the launch:
 *   - an access outside the shared memory or the device allocation a pointer was made for;
 *   - a read of a byte that nobody wrote (device memory, shared memory, a copy not waited for);
 *   - two threads that touch the same shared word, one of them writing, without a barrier between;
 *   - a barrier or warp operation that not all threads reach, or reach at different places.
 * Warps do not run in lockstep here: lanes run one after the other from one operation to the next.
 * Arithmetic is the host's, rounded after every operation (-ffp-contract=off). */
#ifndef SCP_CUDA_HOST_H
#define SCP_CUDA_HOST_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>

#include "memory.h"
#include "runtime.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) {
    return {x, y, z, w};
}
inline float4 make_float4(float x, float y, float z, float w) {
    return {x, y, z, w};
}

namespace cuda_host {

/* The running thread; set by the scheduler (scheduler.cpp). */
struct Position {
    uint3 thread, block;
    dim3 block_size, grid_size;
};
extern Position now;

/* The 32 lanes meet: each brings a pointer; the last to come runs `work` on all of them. All must
 * come from the same line of the source. `orders`: it also orders memory among them. */
using Work = void (*)(void *const lanes[32]);
void meet_warp(void *mine, Work work, bool orders, const char *what, const char *file, int line);
void meet_block(const char *file, int line);
unsigned lane_number();

/* Runs `body` once per thread of the grid. */
cudaError_t run(const std::function<void()> &body, dim3 grid, dim3 block, size_t shared);

Region *block_shared();

} // namespace cuda_host

#define threadIdx (cuda_host::now.thread)
#define blockIdx (cuda_host::now.block)
#define blockDim (cuda_host::now.block_size)
#define gridDim (cuda_host::now.grid_size)

#define SCP_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(SCP_HERE) {
    cuda_host::meet_block(file, line);
}
inline void __syncwarp(unsigned = 0xffffffffu, SCP_HERE) {
    cuda_host::meet_warp(nullptr, [](void *const *) {}, true, "__syncwarp", file, line);
}

template <class T> struct ShuffleLane {
    T value, result;
    unsigned from;
};
template <class T> void shuffle_lanes(void *const lanes[32]) {
    for (int i = 0; i < 32; i++) {
        auto *lane = static_cast<ShuffleLane<T> *>(lanes[i]);
        lane->result = static_cast<ShuffleLane<T> *>(lanes[lane->from])->value;
    }
}
template <class T> T __shfl_sync(unsigned, T value, unsigned from, SCP_HERE) {
    ShuffleLane<T> lane{value, value, from % 32};
    cuda_host::meet_warp(&lane, shuffle_lanes<T>, false, "__shfl_sync", file, line);
    return lane.result;
}
template <class T> T __shfl_xor_sync(unsigned, T value, unsigned mask, SCP_HERE) {
    ShuffleLane<T> lane{value, value, (cuda_host::lane_number() ^ mask) % 32};
    cuda_host::meet_warp(&lane, shuffle_lanes<T>, false, "__shfl_xor_sync", file, line);
    return lane.result;
}

struct VoteLane {
    int predicate;
    unsigned mask;
};
inline unsigned __ballot_sync(unsigned, int predicate, SCP_HERE) {
    VoteLane lane{predicate, 0};
    const auto work = [](void *const *lanes) {
        unsigned mask = 0;
        for (int i = 0; i < 32; i++)
            if (static_cast<VoteLane *>(lanes[i])->predicate) mask |= 1u << i;
        for (int i = 0; i < 32; i++) static_cast<VoteLane *>(lanes[i])->mask = mask;
    };
    cuda_host::meet_warp(&lane, work, false, "__ballot_sync", file, line);
    return lane.mask;
}
inline int __any_sync(unsigned m, int predicate, SCP_HERE) {
    return __ballot_sync(m, predicate, file, line) != 0;
}

/* ---- arithmetic ---- */

inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fsub_rn(float a, float b) {
    return a - b;
}
inline float __fdiv_rn(float a, float b) {
    return a / b;
}
inline double __dmul_rn(double a, double b) {
    return a * b;
}
inline double __dadd_rn(double a, double b) {
    return a + b;
}
inline float __saturatef(float x) {
    return x > 0 ? (x < 1 ? x : 1) : 0;
}
inline uint32_t __float_as_uint(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
inline uint32_t __umulhi(uint32_t a, uint32_t b) {
    return (uint32_t)((uint64_t)a * b >> 32);
}
inline int __ffs(int x) {
    return __builtin_ffs(x);
}
using std::fmaxf;
using std::fminf;

template <class T> T atomicOr(cuda_host::pointer<T> p, T value) {
    const T old = *p;
    *p = old | value;
    return old;
}
template <class T> T atomicAdd(cuda_host::pointer<T> p, T value) {
    static_assert(std::is_integral<T>::value, "float atomics are not deterministic");
    const T old = *p;
    *p = old + value;
    return old;
}

namespace scp_device {

template <class T> using pointer = cuda_host::pointer<T>;

template <class T> pointer<T> shared_memory(unsigned offset, unsigned count) {
    return cuda_host::block_shared()->part<T>(offset, count);
}

template <class V, class T> V load16(pointer<const T> p, size_t i) {
    static_assert(sizeof(V) == 16, "a 16-byte vector");
    return (p + (ptrdiff_t)i).template get<V>();
}

/* The PTX wrappers of csrc/cuda/device.cuh. */
void multiply_tile(float (&d)[4], const uint4 &a, uint32_t b0, uint32_t b1, SCP_HERE);
uint4 load_tiles(pointer<const uint16_t> row, SCP_HERE);
void copy_start(cuda_host::Region *region, char *to, const char *from);
void copy_commit();
void copy_wait_for(int left);
template <class T> void copy_async16(pointer<T> to, pointer<const T> from) {
    from.check(16, false);
    to.check_range(16);
    copy_start(to.region(), (char *)to.raw(), (const char *)from.raw());
}
template <int left> void copy_wait() {
    copy_wait_for(left);
}

template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t,
                   A... arguments) {
    std::tuple<P...> values{static_cast<P>(arguments)...};
    return cuda_host::run([&] { std::apply(kernel, values); }, grid, block, shared);
}

} // namespace scp_device

#endif
