/* Looks into the plug-in: the bounds that the screen leaves for one image. */
#include "../../csrc/cuda/matcher.cuh"

extern "C" __attribute__((visibility("default"))) int
cuda_host_bounds(float *bounds, size_t levels, size_t channels, size_t height, size_t width,
                 const float *features, const float *norms, const float *queries,
                 const float *query_norms, size_t count, int bilinear) {
    const struct scp_grid grid = {levels, channels, height, width};
    struct scp_cuda_matcher *matcher;
    int32_t index[64];
    float value[64];
    const struct scp_cuda_queries borrowed = {queries, query_norms, count};
    const struct scp_match_options options = {bilinear ? SCP_BILINEAR : SCP_NEAREST, SCP_MATCH_AUTO,
                                              0};
    enum scp_status status =
        scp_cuda_matcher_open(&matcher, 0, &grid, &borrowed, &options, SIZE_MAX);
    if (status != SCP_OK) return (int)status;
    status = scp_cuda_matcher_run(matcher, value, index, &features, &norms, 1, nullptr);
    for (size_t i = 0; i < count * 4 * matcher->shape.quads; i++) bounds[i] = 0;
    if (status == SCP_OK)
        status = matcher->buffers[0].bounds.download(bounds, count * 4 * matcher->shape.quads);
    scp_cuda_matcher_close(matcher);
    return (int)status;
}
