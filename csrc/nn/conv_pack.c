/* Weights as panels of 16 outputs, in the order in which the taps of an axis are read. */
#include "conv_parts.h"

#include <string.h>

struct pack {
    float *packed;
    const float *weights;
    size_t kernel_x, channels, outputs;
    const struct scp_axis *y, *x;
    int swap;
};

static enum scp_status run(void *context, size_t panel, size_t worker) {
    const struct pack *p = context;
    const size_t steps = p->y->taps * p->x->taps * p->channels, o = panel * 16;
    const size_t count = scp_min(16, p->outputs - o);
    float *to = p->packed + panel * steps * 16;
    (void)worker;
    for (size_t u = 0; u < p->y->taps; u++)
        for (size_t v = 0; v < p->x->taps; v++, to += p->channels * 16) {
            const size_t row = (size_t)(p->y->first + (ptrdiff_t)u * p->y->weight_step);
            const size_t column = (size_t)(p->x->first + (ptrdiff_t)v * p->x->weight_step);
            const float *from =
                p->weights + (row * p->kernel_x + column) * p->channels * p->outputs;
            if (count < 16) memset(to, 0, p->channels * 16 * sizeof *to);
            if (p->swap) {
                for (size_t j = 0; j < count; j++)
                    for (size_t c = 0; c < p->channels; c++)
                        to[c * 16 + j] = from[(o + j) * p->channels + c];
            } else {
                for (size_t c = 0; c < p->channels; c++)
                    for (size_t j = 0; j < count; j++)
                        to[c * 16 + j] = from[c * p->outputs + o + j];
            }
        }
    return SCP_OK;
}

enum scp_status scp_conv_pack(float *packed, const float *weights, size_t kernel_x,
                              const struct scp_axis *y, const struct scp_axis *x, size_t channels,
                              size_t outputs, int swap) {
    struct pack p = {packed, weights, kernel_x, channels, outputs, y, x, swap};
    return scp_parallel(scp_ceil_div(outputs, 16), run, &p, NULL);
}
