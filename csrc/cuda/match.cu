#include "plugin.cuh"
extern "C" enum scp_status scp_cuda_matcher_open(struct scp_cuda_matcher **, int,
                                                 const struct scp_grid *, const float *,
                                                 const float *, size_t, enum scp_match_mode, float,
                                                 size_t) {
    return scp_cuda_refuse("not yet");
}
extern "C" enum scp_status scp_cuda_matcher_run(struct scp_cuda_matcher *, float *, int32_t *,
                                                const float *const *, const float *const *, size_t,
                                                const struct scp_control *) {
    return scp_cuda_refuse("not yet");
}
extern "C" void scp_cuda_matcher_close(struct scp_cuda_matcher *) {}
