/* Raw feature vectors become unit vectors with their lengths beside them: with those, the cosine of
 * Eq. 5 is one dot product. */
#include "scp/pyramid.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define BLOCK 1024 /* cells of a task */
#define SUMS 8     /* partial sums: independent chains of additions */
#define MIN_LENGTH 1e-30

struct pack_job {
    float *features, *norms;
    const float *map;
    size_t cells, channels, stride, width;
};

static double length(const float *vector, size_t channels) {
    double sums[SUMS] = {0};
    size_t c = 0;
    for (; c + SUMS <= channels; c += SUMS)
        for (size_t i = 0; i < SUMS; i++) sums[i] += (double)vector[c + i] * vector[c + i];
    for (; c < channels; c++) sums[0] += (double)vector[c] * vector[c];
    for (size_t half = SUMS / 2; half; half /= 2)
        for (size_t i = 0; i < half; i++) sums[i] += sums[i + half];
    return sqrt(sums[0]);
}

static enum scp_status pack_block(void *context, size_t task, size_t worker) {
    const struct pack_job *p = context;
    const size_t first = task * BLOCK;
    const size_t last = p->cells - first < BLOCK ? p->cells : first + BLOCK;
    (void)worker;
    for (size_t i = first; i < last; i++) {
        const float *in = p->map + i * p->stride;
        float *out = p->features + i * p->width;
        const double norm = length(in, p->channels);
        if (!(norm <= FLT_MAX)) return SCP_EINVAL;
        const float divisor = (float)norm;
        if (norm < MIN_LENGTH) {
            memset(out, 0, p->width * sizeof *out);
            p->norms[i] = 0;
            continue;
        }
        for (size_t c = 0; c < p->channels; c++) out[c] = in[c] / divisor;
        memset(out + p->channels, 0, (p->width - p->channels) * sizeof *out);
        p->norms[i] = divisor;
    }
    return SCP_OK;
}

enum scp_status scp_pyramid_pack(float *features, float *norms, const float *map, size_t cells,
                                 size_t channels, size_t stride, size_t width,
                                 const struct scp_control *control) {
    if (channels > stride || channels > width)
        return scp_invalid(control, "map", SCP_SHAPE, "must have at most the channels of features");
    struct pack_job p = {features, norms, map, cells, channels, stride, width};
    const enum scp_status status =
        scp_parallel((cells + BLOCK - 1) / BLOCK, pack_block, &p, control);
    if (status == SCP_EINVAL) scp_invalid(control, "map", SCP_WHOLE, "must be finite");
    return status;
}
