/* Weights as panels of 16 outputs, in the order in which the taps of an axis are read. */
#include "conv_parts.h"

#include <string.h>

/* packed[channels][16] = from[channels][outputs], 16 outputs from o on. */
static void copy_tap(float *packed, const float *from, const struct scp_weights *w, size_t o) {
    const size_t count = scp_min(16, w->outputs - o);
    for (size_t c = 0; c < w->channels; c++, packed += 16) {
        const float *row = from + c * w->outputs + o;
        if (count == 16)
            memcpy(packed, row, 16 * sizeof *packed); /* no call: a known size */
        else
            memcpy(packed, row, count * sizeof *packed);
    }
}

/* packed[channels][16] = the transposed from[outputs][channels], a square at a time. */
static void turn_tap(float *packed, const float *from, const struct scp_weights *w, size_t o,
                     const struct scp_nn_kernels *kernels) {
    const size_t count = scp_min(16, w->outputs - o), line = w->channels;
    from += o * line;
    for (size_t c = 0; c < line; c += 16, packed += 256) {
        if (count == 16 && c + 16 <= line) {
            kernels->turn(packed, from + c, line);
            continue;
        }
        for (size_t j = 0; j < count; j++)
            for (size_t i = 0; i < scp_min(16, line - c); i++)
                packed[i * 16 + j] = from[j * line + c + i];
    }
}

void scp_conv_pack(float *packed, const struct scp_weights *w, size_t panel,
                   const struct scp_nn_kernels *kernels) {
    const size_t o = panel * 16, floats = w->channels * 16;
    for (size_t u = 0; u < w->y->taps; u++)
        for (size_t v = 0; v < w->x->taps; v++, packed += floats) {
            const size_t row = (size_t)(w->y->first + (ptrdiff_t)u * w->y->weight_step);
            const size_t column = (size_t)(w->x->first + (ptrdiff_t)v * w->x->weight_step);
            const float *from = w->data + (row * w->kernel_x + column) * w->channels * w->outputs;
            if (o + 16 > w->outputs) memset(packed, 0, floats * sizeof *packed);
            if (w->swap)
                turn_tap(packed, from, w, o, kernels);
            else
                copy_tap(packed, from, w, o);
        }
}
