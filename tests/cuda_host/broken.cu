/* Kernels with one mistake each, and right ones beside them: what the emulation must catch. */
#include "../../csrc/cuda/device.cuh"

#include <cstdio>
#include <vector>

using namespace scp_device;

/* Sums of a block of 64 by a tree in shared memory. mistake: 0 none, 1 a barrier is missing, 2 the
 * last step reads one too far, 3 a barrier inside a condition, 4 half of the memory is not filled,
 * 5 the result is not written, 6 reads device memory out of bounds */
__global__ void tree(pointer<float> out, pointer<const float> in, int mistake) {
    const unsigned i = threadIdx.x, n = blockDim.x;
    pointer<float> sums = shared_memory<float>(0, n);
    if (mistake != 4 || i < n / 2) sums[i] = in[i + (mistake == 6 ? 1 : 0)];
    __syncthreads();
    for (unsigned half = n / 2; half > 0; half /= 2) {
        if (i < half) sums[i] = sums[i] + sums[i + half + (mistake == 2 && half == n / 2 ? 1 : 0)];
        if (mistake == 3 && half == 1) {
            if (i == 0) __syncthreads();
        } else if (mistake != 1 || half != 2) {
            __syncthreads();
        }
    }
    if (i == 0 && mistake != 5) out[0] = sums[0];
}

/* Neighbours exchange through shared memory inside a warp; mistake 7: no __syncwarp. */
__global__ void neighbours(pointer<float> out, pointer<const float> in, int mistake) {
    const unsigned i = threadIdx.x;
    pointer<float> line = shared_memory<float>(0, 64);
    line[i] = in[i];
    if (mistake != 7) __syncwarp();
    const float v = line[i ^ 1u];
    const float w = __shfl_xor_sync(SCP_WHOLE_WARP, v, 1);
    if (i == 0) out[0] = w;
}

/* 16 bytes a thread by asynchronous copies; mistake 8: not waited for; 9: no barrier after it;
 * 10: some lanes leave before a shuffle. */
__global__ void copies(pointer<float> out, pointer<const float> in, int mistake) {
    const unsigned i = threadIdx.x;
    pointer<float> line = shared_memory<float>(0, 64);
    if (i < 16) copy_async16<float>(line + 4 * i, in + 4 * i);
    copy_commit();
    if (mistake != 8) copy_wait<0>();
    if (mistake != 9) __syncthreads();
    const float v = line[63 - i];
    if (mistake == 10 && i % 32 >= 16) return;
    const float w = __shfl_sync(SCP_WHOLE_WARP, v, 31);
    if (i == 32) out[0] = w;
}

/* Runs one of them on 0 .. 63; 0 and the result, or 1 and the message. */
extern "C" __attribute__((visibility("default"))) int
cuda_host_broken(int mistake, int kernel, float *result, char *text, size_t room) {
    float *in = nullptr, *out = nullptr;
    std::vector<float> numbers(64);
    for (int i = 0; i < 64; i++) numbers[(size_t)i] = (float)i;
    cudaMalloc((void **)&in, 64 * sizeof(float));
    cudaMalloc((void **)&out, sizeof(float));
    cudaMemcpy(in, numbers.data(), 64 * sizeof(float), cudaMemcpyHostToDevice);
    void (*const kernels[])(pointer<float>, pointer<const float>, int) = {tree, neighbours, copies};
    cudaError_t error =
        launch(kernels[kernel], 1, 64, 64 * sizeof(float), nullptr, out, in, mistake);
    if (error == cudaSuccess)
        error = cudaMemcpy(result, out, sizeof(float), cudaMemcpyDeviceToHost);
    if (error != cudaSuccess) snprintf(text, room, "%s", cudaGetErrorString(error));
    cudaFree(in);
    cudaFree(out);
    return error != cudaSuccess;
}
