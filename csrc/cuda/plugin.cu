/* What libscp_cuda.so exports: the table, the devices and the last error. */
#include "plugin.cuh"

#include <cstdio>
#include <cstring>

static thread_local char last_error[512] = "no error";

enum scp_status scp_cuda_refuse(const char *text) {
    snprintf(last_error, sizeof last_error, "%s", text);
    return SCP_EUNSUPPORTED;
}

enum scp_status scp_cuda_status(cudaError_t error, const char *where) {
    if (error == cudaSuccess) return SCP_OK;
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError(); /* not sticky: forget it */
        return SCP_ENOMEM;
    }
    snprintf(last_error, sizeof last_error, "%s (in %.200s)", cudaGetErrorString(error), where);
    return SCP_EUNSUPPORTED;
}

static const char *error_text(void) {
    return last_error;
}

static const char *devices(int *count) {
    *count = 0;
    const cudaError_t error = cudaGetDeviceCount(count);
    if (error == cudaErrorInsufficientDriver) {
        *count = 0;
        return "no NVIDIA driver is installed, or it is older than the CUDA runtime in "
               "libscp_cuda.so";
    }
    if (error == cudaErrorNoDevice || (error == cudaSuccess && *count == 0)) {
        *count = 0;
        return "the NVIDIA driver finds no GPU";
    }
    if (error != cudaSuccess) {
        *count = 0;
        scp_cuda_status(error, "cudaGetDeviceCount");
        return last_error;
    }
    return nullptr;
}

static enum scp_status describe(struct scp_cuda_device *out, int device) {
    cudaDeviceProp properties;
    SCP_CUDA(cudaGetDeviceProperties(&properties, device));
    snprintf(out->name, sizeof out->name, "%.127s", properties.name);
    out->major = properties.major;
    out->minor = properties.minor;
    out->processors = properties.multiProcessorCount;
    out->memory = properties.totalGlobalMem;
    return SCP_OK;
}

static const struct scp_cuda_table table = {
    SCP_CUDA_ABI,
    sizeof(struct scp_cuda_table),
    devices,
    describe,
    error_text,
    scp_cuda_matcher_open,
    scp_cuda_matcher_run,
    scp_cuda_matcher_close,
    scp_cuda_selection_open,
    scp_cuda_selection_close,
    scp_cuda_score_sets,
    scp_cuda_score_draws,
    scp_cuda_score_rows,
    scp_cuda_exchange,
    scp_cuda_ascent_begin,
    scp_cuda_ascent_excess,
    scp_cuda_ascent_move,
    scp_cuda_ascent_read,
    scp_cuda_enumerate,
};

extern "C" __attribute__((visibility("default"))) const struct scp_cuda_table *
scp_cuda_plugin(uint32_t abi) {
    return abi == SCP_CUDA_ABI ? &table : nullptr;
}
