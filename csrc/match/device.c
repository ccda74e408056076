/* Similarity on a CUDA device: the checks that scp_match makes, then the plug-in. */
#include "scp/alloc.h"
#include "scp/cuda.h"

struct scp_device_matcher {
    struct scp_cuda_matcher *open;
    const struct scp_cuda_table *cuda; /* that opened it */
};

enum scp_status scp_device_matcher_create(struct scp_device_matcher **out, int device,
                                          const struct scp_grid *grid,
                                          const struct scp_cuda_queries *queries,
                                          const struct scp_match_options *options,
                                          size_t max_memory, const struct scp_control *control) {
    enum scp_status status = scp_grid_check(grid, control);
    if (status != SCP_OK) return status;
    if (!(options->epsilon >= 0 && options->epsilon < 1e30f))
        return scp_invalid(control, "epsilon", SCP_WHOLE, "must be finite and >= 0");
    if (!scp_cuda()) return SCP_EUNSUPPORTED;
    struct scp_device_matcher *m = scp_calloc(1, sizeof *m);
    if (!m) return SCP_ENOMEM;
    m->cuda = scp_cuda();
    status = m->cuda->matcher_open(&m->open, device, grid, queries, options, max_memory);
    if (status == SCP_OK)
        *out = m;
    else
        scp_free(m);
    return status;
}

enum scp_status scp_device_matcher_run(struct scp_device_matcher *matcher, float *value,
                                       int32_t *index, const float *const *features,
                                       const float *const *norms, size_t n_images,
                                       const struct scp_control *control) {
    const enum scp_status status =
        matcher->cuda->matcher_run(matcher->open, value, index, features, norms, n_images, control);
    if (status != SCP_EINVAL) return status;
    return scp_invalid(control, "features and queries", SCP_WHOLE,
                       "must be unit vectors with finite norms");
}

void scp_device_matcher_free(struct scp_device_matcher *matcher) {
    if (!matcher) return;
    matcher->cuda->matcher_close(matcher->open);
    scp_free(matcher);
}
