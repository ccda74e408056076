/* Target = gather of the source with weights: the sum that a convolution and the gradient of its
 * data have in common; computed as implicit GEMM, for any kernel, stride and dilation. */
#ifndef SCP_NN_CONV_PRODUCT_H
#define SCP_NN_CONV_PRODUCT_H

#include "conv_axis.h"

/* The target, or (accumulate) what it holds, plus for every target position the sum over taps and
 * channels. Weights are [kernel_y][kernel_x][channels][outputs], or (swap) [..][outputs][channels];
 * bias[outputs] may be NULL. */
struct scp_product {
    struct scp_map target;
    int accumulate;
    struct scp_source source;
    struct scp_axis y, x;
    const float *weights, *bias;
    size_t kernel_x;
    int swap;
};

/* Panels of 16 outputs multiplied at once: pixels are read once for all of them. */
#define SCP_PANELS 2
/* What they start from; the offsets of a sum in one run. */
static const float scp_zeros[16 * SCP_PANELS] = {0};
static const size_t scp_one_run[1] = {0};

/* Floats of a panel of packed weights. */
static inline size_t scp_product_panel(const struct scp_product *p) {
    return p->y.taps * p->x.taps * p->source.map.channels * 16;
}
/* One panel: packed[k][16], k = (tap y, tap x, channel), columns the outputs from 16 panel on. */
void scp_product_pack(float *packed, const struct scp_product *product, size_t panel);
/* The bias (or zeros) in whole panels. */
static inline void scp_product_bias(float *padded, const struct scp_product *p) {
    for (size_t o = 0; o < scp_lanes_up(p->target.channels); o++)
        padded[o] = p->bias && o < p->target.channels ? p->bias[o] : 0;
}

size_t scp_product_gemm_workspace(const struct scp_product *product, size_t threads);
enum scp_status scp_product_gemm(const struct scp_product *product, const struct scp_run *run);

/* scp_parallel, but on the calling thread alone where waking others costs more: below some 10^5
 * `floats` to go through. */
static inline enum scp_status scp_conv_parallel(size_t floats, size_t count, scp_task run,
                                                void *context) {
    if (floats > 150000) return scp_parallel(count, run, context, NULL);
    for (size_t task = 0; task < count; task++) run(context, task, 0);
    return SCP_OK;
}

#endif
