#include "runtime.h"

#include <cstdio>
#include <cstdlib>
#include <map>

#include "cuda_host.h"

namespace cuda_host {
extern std::map<char *, Region> allocations;
const std::string &last_failure();
void forget_failure();
} // namespace cuda_host

using namespace cuda_host;

static std::string reported;

cudaError_t cudaGetDeviceCount(int *count) {
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int) {
    *out = cudaDeviceProp();
    snprintf(out->name, sizeof out->name, "CUDA on the host");
    out->major = 8, out->minor = 0, out->multiProcessorCount = 1;
    out->totalGlobalMem = (size_t)1 << 30;
    out->sharedMemPerBlockOptin = 163 * 1024;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    return device == 0 ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaMalloc(void **p, size_t bytes) {
    *p = nullptr;
    if (bytes > (size_t)1 << 30) return cudaErrorMemoryAllocation;
    char *base = static_cast<char *>(aligned_alloc(256, (bytes + 255) / 256 * 256 + 256));
    if (!base) return cudaErrorMemoryAllocation;
    memset(base, 0xff, bytes);
    Region &r = allocations[base];
    r.base = base, r.bytes = bytes;
    r.written.assign(bytes, 0);
    *p = base;
    return cudaSuccess;
}

cudaError_t cudaFree(void *p) {
    if (!p) return cudaSuccess;
    if (!allocations.erase(static_cast<char *>(p))) return cudaErrorInvalidValue;
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **p, size_t bytes) {
    *p = malloc(bytes ? bytes : 1);
    return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *p) {
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
    if (bytes == 0) return cudaSuccess;
    const bool in = kind == cudaMemcpyHostToDevice;
    Region *r = find_region(in ? to : from);
    if (!r || find_region(in ? from : to)) {
        fail("cudaMemcpy: wrong direction");
        return cudaErrorInvalidValue;
    }
    r->range(in ? to : from, bytes);
    if (!last_failure().empty()) return cudaErrorInvalidValue;
    r->check(in ? to : from, bytes, in);
    memcpy(to, from, bytes);
    return last_failure().empty() ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t) {
    return cudaMemcpy(to, from, bytes, kind);
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t) {
    Region *r = find_region(to);
    if (!r) return cudaErrorInvalidValue;
    r->range(to, bytes);
    if (!last_failure().empty()) return cudaErrorInvalidValue;
    r->check(to, bytes, true);
    memset(to, value, bytes);
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
    *stream = nullptr;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t) {
    return last_failure().empty() ? cudaSuccess : cudaErrorLaunchFailure;
}

cudaError_t cudaStreamDestroy(cudaStream_t) {
    return cudaSuccess;
}

cudaError_t cudaGetLastError() {
    return last_failure().empty() ? cudaSuccess : cudaErrorLaunchFailure;
}

const char *cudaGetErrorString(cudaError_t error) {
    reported = last_failure().empty() ? "error " + std::to_string((int)error) : last_failure();
    forget_failure();
    return reported.c_str();
}
