/* Passes between maps of different size. */
#include "resample.h"

#include <string.h>

#include "../kernels/kernels.h"

/* Rows 2y - 1, 2y, 2y + 1 of the input; NULL outside. */
static void window_rows(const float *rows[3], const struct scp_map *in, size_t image, size_t y) {
    for (size_t k = 0; k < 3; k++) {
        const size_t row = 2 * y + k; /* + 1 */
        rows[k] = row > 0 && row <= in->height ? scp_map_row(in, image, row - 1) : NULL;
    }
}

static void overlapping(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *in = &p->in.map, *out = &p->out;
    const struct scp_deferred_row d = scp_deferred_row(&p->in.deferred, at.image, 0);
    const float *rows[3];
    window_rows(rows, in, at.image, at.y);
    scp_kernels()->passes.pool3(scp_map_row(out, at.image, at.y), out->stride, rows, in->stride,
                                in->width, &d, out->width, scp_lanes_up(out->channels));
}

void scp_pass_pool(const struct scp_pass *p, struct scp_line at) {
    if (p->taps) {
        overlapping(p, at);
        return;
    }
    const struct scp_map *in = &p->in.map, *out = &p->out;
    const struct scp_deferred_row d = scp_deferred_row(&p->in.deferred, at.image, 0);
    scp_kernels()->passes.pool(scp_map_row(out, at.image, at.y), out->stride,
                               scp_map_row(in, at.image, 2 * at.y),
                               scp_map_row(in, at.image, 2 * at.y + 1), in->stride, &d, out->width,
                               scp_lanes_up(out->channels));
}

static void zero_pixels(const struct scp_map *map, size_t image, size_t y, size_t from) {
    float *row = scp_map_row(map, image, y);
    for (size_t x = from; x < map->width; x++)
        memset(row + x * map->stride, 0, scp_lanes_up(map->channels) * sizeof *row);
}

/* A row of the input lies in the windows of up to two rows of the output. */
static void overlapping_backward(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *in = &p->in.map, *to = &p->out, *from = &p->gradient;
    const struct scp_deferred_row d = scp_deferred_row(&p->in.deferred, at.image, 0);
    const float *rows[3];
    if (!p->accumulate) zero_pixels(to, at.image, at.y, 0);
    for (size_t y = at.y / 2; y <= (at.y + 1) / 2 && y < from->height; y++) {
        window_rows(rows, in, at.image, y);
        scp_kernels()->passes.pool3_backward(scp_map_row(to, at.image, at.y), to->stride,
                                             at.y + 1 - 2 * y, scp_map_row(from, at.image, y),
                                             from->stride, rows, in->stride, in->width, &d,
                                             from->width, scp_lanes_up(to->channels));
    }
}

/* Two rows of the gradient at once, or the last that pooling dropped. */
void scp_pass_pool_backward(const struct scp_pass *p, struct scp_line at) {
    if (p->taps) {
        overlapping_backward(p, at);
        return;
    }
    const struct scp_map *in = &p->in.map, *from = &p->gradient, *to = &p->out;
    const struct scp_deferred_row d = scp_deferred_row(&p->in.deferred, at.image, 0);
    const int whole = at.y / 2 < from->height;
    if (at.y % 2) return;
    if (whole)
        scp_kernels()->passes.pool_backward(
            scp_map_row(to, at.image, at.y), scp_map_row(to, at.image, at.y + 1), to->stride,
            p->accumulate, scp_map_row(from, at.image, at.y / 2), from->stride,
            scp_map_row(in, at.image, at.y), scp_map_row(in, at.image, at.y + 1), in->stride, &d,
            from->width, scp_lanes_up(to->channels));
    if (p->accumulate) return;
    zero_pixels(to, at.image, at.y, whole ? 2 * from->width : 0);
    if (whole) zero_pixels(to, at.image, at.y + 1, 2 * from->width);
}

/* Position i of the larger axis lies between `low` and `high` of the smaller. */
struct tap {
    unsigned low, high;
    float weight;
};

static struct tap tap_at(size_t i, size_t large, size_t small, int align) {
    double at = align ? (large > 1 ? (double)i * (double)(small - 1) / (double)(large - 1) : 0)
                      : ((double)i + 0.5) * (double)small / (double)large - 0.5;
    if (at < 0) at = 0;
    const size_t low = scp_min((size_t)at, small - 1), high = scp_min(low + 1, small - 1);
    return (struct tap){(unsigned)low, (unsigned)high, (float)(at - (double)low)};
}

/* Of a thread: two rows, and three numbers for each position of a row. */
size_t scp_resample_scratch(const struct scp_map *large) {
    return 2 * (large->width + 1) * scp_lanes_up(large->channels) + 3 * scp_lanes_up(large->width);
}

size_t scp_resample_workspace(const struct scp_map *large, size_t threads) {
    return 3 * scp_lanes_up(large->channels) + threads * scp_resample_scratch(large);
}

void scp_pass_resize(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *in = &p->in.map, *out = &p->out;
    const struct scp_kernels *k = scp_kernels();
    const struct scp_deferred_row d = scp_deferred_row(&p->in.deferred, at.image, 0);
    const size_t lanes = scp_lanes_up(in->channels), width = scp_lanes_up(out->width);
    const struct tap y = tap_at(at.y, out->height, in->height, p->align);
    float *weight = p->scratch + at.worker * scp_resample_scratch(out), *low = weight + 3 * width;
    float *high = low + (out->width + 1) * lanes;
    unsigned *index0 = (unsigned *)(void *)(weight + width), *index1 = index0 + width;
    for (size_t i = 0; i < out->width; i++) {
        const struct tap x = tap_at(i, out->width, in->width, p->align);
        index0[i] = x.low, index1[i] = x.high, weight[i] = x.weight;
    }
    k->maps.deferred(low, lanes, scp_map_row(in, at.image, y.low), in->stride, in->width, lanes,
                     &d);
    k->maps.deferred(high, lanes, scp_map_row(in, at.image, y.high), in->stride, in->width, lanes,
                     &d);
    k->passes.blend(low, low, high, y.weight, in->width * lanes);
    k->passes.stretch(scp_map_row(out, at.image, at.y), out->stride, low, lanes, index0, index1,
                      weight, out->width, lanes);
}

/* The adjoint: gathers, for one row of the input, the output rows that read it. */
void scp_pass_resize_backward(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *to = &p->out, *from = &p->gradient;
    const struct scp_passes_kernels *k = &scp_kernels()->passes;
    const size_t lanes = scp_lanes_up(to->channels), y = at.y;
    float *sum = p->scratch + at.worker * scp_resample_scratch(from),
          *row = scp_map_row(to, at.image, y);
    int some = 0;
    for (size_t i = 0; i < from->height; i++) {
        const struct tap tap = tap_at(i, from->height, to->height, p->align);
        if (tap.low > y) break; /* taps ascend */
        const float weight = (tap.low == y ? 1 - tap.weight : 0) + (tap.high == y ? tap.weight : 0);
        if (tap.high < y || weight == 0) continue;
        k->add(sum, lanes, some, scp_map_row(from, at.image, i), from->stride, weight, from->width,
               lanes);
        some = 1;
    }
    if (!p->accumulate) zero_pixels(to, at.image, y, 0);
    for (size_t i = 0; some && i < from->width; i++) {
        const struct tap x = tap_at(i, from->width, to->width, p->align);
        const float *s = sum + i * lanes;
        k->add(row + x.low * to->stride, 0, 1, s, 0, 1 - x.weight, 1, lanes);
        k->add(row + x.high * to->stride, 0, 1, s, 0, x.weight, 1, lanes);
    }
}

void scp_pass_average(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *in = &p->in.map, *out = &p->out;
    const struct scp_kernels *k = scp_kernels();
    const struct scp_deferred_row d = scp_deferred_row(&p->in.deferred, at.image, 0);
    const size_t lanes = scp_lanes_up(in->channels), factor = p->factor;
    float *line = p->scratch + at.worker * scp_resample_scratch(in);
    float *to = scp_map_row(out, at.image, at.y);
    const float share = 1 / (float)(factor * factor);
    for (size_t j = 0; j < factor; j++) {
        k->maps.deferred(line, lanes, scp_map_row(in, at.image, at.y * factor + j), in->stride,
                         out->width * factor, lanes, &d);
        for (size_t i = 0; i < factor; i++)
            k->passes.add(to, out->stride, i + j > 0, line + i * lanes, factor * lanes, share,
                          out->width, lanes);
    }
}

void scp_pass_average_backward(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *to = &p->out, *from = &p->gradient;
    const size_t factor = p->factor, lanes = scp_lanes_up(to->channels);
    const int whole = at.y / factor < from->height; /* else a row that pooling dropped */
    float *row = scp_map_row(to, at.image, at.y);
    if (!p->accumulate) zero_pixels(to, at.image, at.y, whole ? factor * from->width : 0);
    for (size_t i = 0; whole && i < factor; i++)
        scp_kernels()->passes.add(row + i * to->stride, factor * to->stride, p->accumulate,
                                  scp_map_row(from, at.image, at.y / factor), from->stride,
                                  1 / (float)(factor * factor), from->width, lanes);
}

void scp_pass_mean(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *in = &p->in.map;
    const size_t pixels = in->height * in->width;
    float *out = scp_map_row(&p->out, at.image, 0);
    const float *from = scp_map_row(in, at.image, 0);
    for (size_t j = 0; j < scp_lanes_up(in->channels); j += SCP_LANES) {
        const struct scp_deferred_row d = scp_deferred_row(&p->in.deferred, at.image, j);
        double sum[SCP_LANES] = {0};
        for (size_t i = 0; i < pixels; i++) {
            float z[SCP_LANES];
            scp_kernels()->maps.deferred(z, SCP_LANES, from + i * in->stride + j, in->stride, 1,
                                         SCP_LANES, &d);
            for (size_t c = 0; c < SCP_LANES; c++) sum[c] += (double)z[c];
        }
        for (size_t c = 0; c < SCP_LANES; c++) out[j + c] = (float)(sum[c] / (double)pixels);
    }
}

void scp_pass_mean_backward(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *to = &p->out;
    const float share = 1 / (float)(to->height * to->width);
    scp_kernels()->passes.add(scp_map_row(to, at.image, at.y), to->stride, p->accumulate,
                              scp_map_row(&p->gradient, at.image, 0), 0, share, to->width,
                              scp_lanes_up(to->channels));
}
