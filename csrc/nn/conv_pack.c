/* Weights as panels of 16 outputs, in the order in which the taps of an axis are read. */
#include "conv_parts.h"

#include <string.h>

void scp_conv_pack(float *packed, const struct scp_weights *w, size_t panel) {
    const size_t o = panel * 16, count = scp_min(16, w->outputs - o), channels = w->channels;
    for (size_t u = 0; u < w->y->taps; u++)
        for (size_t v = 0; v < w->x->taps; v++, packed += channels * 16) {
            const size_t row = (size_t)(w->y->first + (ptrdiff_t)u * w->y->weight_step);
            const size_t column = (size_t)(w->x->first + (ptrdiff_t)v * w->x->weight_step);
            const float *from = w->data + (row * w->kernel_x + column) * channels * w->outputs;
            if (count < 16) memset(packed, 0, channels * 16 * sizeof *packed);
            if (w->swap) {
                for (size_t c = 0; c < channels; c += 16) /* a square at a time: both in cache */
                    for (size_t j = 0; j < count; j++)
                        for (size_t i = c; i < scp_min(c + 16, channels); i++)
                            packed[i * 16 + j] = from[(o + j) * channels + i];
            } else {
                for (size_t c = 0; c < channels; c++)
                    memcpy(packed + c * 16, from + c * w->outputs + o, count * sizeof *packed);
            }
        }
}
