/* What the kernels are written in. With nvcc this is CUDA itself plus wrappers for the few PTX
 * instructions in use; without it, tests/cuda_host gives the same names on the host. Kernels reach
 * memory only through scp_device::pointer, a plain pointer on the device and a checked one on the
 * host. */
#ifndef SCP_CUDA_DEVICE_CUH
#define SCP_CUDA_DEVICE_CUH

#include <stddef.h>
#include <stdint.h>

#ifndef __CUDACC__
#include "cuda_host.h" /* tests/cuda_host */
#else

#include <cuda_runtime.h>

namespace scp_device {

template <class T> using pointer = T *;

/* The dynamic shared memory of the block, from a byte offset on, as elements of T. */
template <class T> __device__ __forceinline__ pointer<T> shared_memory(unsigned offset, unsigned) {
    extern __shared__ uint4 scp_shared_bytes[];
    return reinterpret_cast<T *>(reinterpret_cast<char *>(scp_shared_bytes) + offset);
}

/* 16 bytes at p[i], aligned. */
template <class V, class T> __device__ __forceinline__ V load16(pointer<const T> p, size_t i) {
    static_assert(sizeof(V) == 16, "a 16-byte vector");
    return *reinterpret_cast<const V *>(p + i);
}

/* d += A B for a 16 x 16 tile of rows and a 16 x 8 tile of columns, bfloat16, float32 sums. */
__device__ __forceinline__ void multiply_tile(float (&d)[4], const uint4 &a, uint32_t b0,
                                              uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
                 "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}

/* Four 8 x 8 tiles of 16-bit numbers; lane l gives the first of eight numbers of row l % 8 of tile
 * l / 8, and gets numbers 2 (l % 4) and + 1 of row l / 4 of every tile. */
__device__ __forceinline__ uint4 load_tiles(pointer<const uint16_t> row) {
    uint4 r;
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w)
                 : "r"(address)
                 : "memory");
    return r;
}

/* 16 bytes from global to shared memory, past the registers; done after copy_wait. */
template <class T>
__device__ __forceinline__ void copy_async16(pointer<T> to, pointer<const T> from) {
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(to));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
                 :
                 : "r"(address), "l"(from)
                 : "memory");
}
__device__ __forceinline__ void copy_commit() {
    asm volatile("cp.async.commit_group;" : : : "memory");
}
/* Waits until at most `left` of this thread's latest commits are not done. */
template <int left> __device__ __forceinline__ void copy_wait() {
    asm volatile("cp.async.wait_group %0;" : : "n"(left) : "memory");
}

template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                   A... arguments) {
    if (shared > 48 * 1024) {
        const cudaError_t error =
            cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel),
                                 cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared);
        if (error != cudaSuccess) return error;
    }
    kernel<<<grid, block, shared, stream>>>(static_cast<P>(arguments)...);
    return cudaGetLastError();
}

} // namespace scp_device

#endif

#define SCP_WHOLE_WARP 0xffffffffu

#ifdef __CUDACC__
#define SCP_UNROLL _Pragma("unroll")
#define SCP_UNROLL_BY(n) _Pragma(SCP_TEXT(unroll n))
#define SCP_TEXT(x) #x
#else
#define SCP_UNROLL
#define SCP_UNROLL_BY(n)
#endif

#endif
