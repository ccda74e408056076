/* Maps read row by row through what their reader applies. */
#include "source.h"

#include <string.h>

#include "../kernels/kernels.h"

/* Pixels without room for whole vectors, one number at a time; `fill` floats are written. */
static void narrow_row(float *out, size_t out_pixel, const float *in, size_t in_pixel,
                       const float *raw, size_t raw_pixel, const struct scp_backward_row *row,
                       size_t count, size_t channels, size_t fill) {
    const struct scp_deferred_row *d = &row->deferred;
    for (size_t i = 0; i < count; i++, out += out_pixel, in += in_pixel) {
        for (size_t c = 0; c < channels; c++) {
            const float x = raw ? raw[i * raw_pixel + c] : in[c];
            const float t = d->scale ? d->scale[c] * x + d->shift[c] : x;
            if (raw) {
                const float g = t > 0 ? in[c] : in[c] * d->slope[c];
                out[c] = row->a ? row->a[c] * g + (row->b[c] * x + row->c[c]) : d->scale[c] * g;
            } else {
                out[c] = t > 0 || !d->scale ? t : d->slope[c] * t;
            }
        }
        for (size_t c = channels; c < fill; c++) out[c] = 0;
    }
}

static size_t step_of(const struct scp_window *window) {
    return window->apart ? window->apart : 1;
}

/* Row y of the map: `columns` pixels from column x on. */
static void read_row(float *out, size_t pixel, const struct scp_source *source,
                     const struct scp_window *w, ptrdiff_t y) {
    const struct scp_maps_kernels *kernels = &scp_kernels()->maps;
    const struct scp_map *map = &source->map, *raw_map = &source->backward.raw;
    const size_t count = w->columns, whole = scp_lanes_up(w->channels), apart = step_of(w);
    size_t before = w->x < 0 ? scp_min(scp_ceil_div((size_t)-w->x, apart), count) : 0, inside = 0;
    if (y < 0 || y >= (ptrdiff_t)map->height) before = count;
    const size_t from = (size_t)(w->x + (ptrdiff_t)(before * apart));
    if (before < count && from < map->width)
        inside = scp_min(count - before, scp_ceil_div(map->width - from, apart));
    const size_t after = before + inside;
    if (before) memset(out, 0, before * pixel * sizeof *out);
    if (after < count) memset(out + after * pixel, 0, (count - after) * pixel * sizeof *out);
    if (!inside) return;
    const size_t at = (w->image * map->height + (size_t)y) * map->width + from;
    const float *in = map->data + at * map->stride + w->first, *raw = NULL;
    const size_t in_pixel = map->stride * apart, raw_pixel = raw_map->stride * apart;
    int narrow = w->exact || map->stride < scp_lanes_up(map->channels) || pixel < whole;
    struct scp_backward_row row = {{NULL, NULL, NULL}, NULL, NULL, NULL};
    out += before * pixel;
    if (raw_map->data) {
        row = scp_backward_row(&source->backward, w->image, w->first);
        raw = raw_map->data + at * raw_map->stride + w->first;
        narrow |= raw_map->stride < scp_lanes_up(map->channels);
    } else if (source->deferred.scale) {
        row.deferred = scp_deferred_row(&source->deferred, w->image, w->first);
    }
    if (narrow) {
        const size_t channels = scp_min(w->channels, map->channels - w->first);
        narrow_row(out, pixel, in, in_pixel, raw, raw_pixel, &row, inside, channels,
                   w->exact ? channels : scp_min(whole, pixel));
    } else if (raw) {
        kernels->backward(out, pixel, in, in_pixel, raw, raw_pixel, inside, whole, &row);
    } else if (row.deferred.scale) {
        kernels->deferred(out, pixel, in, in_pixel, inside, whole, &row.deferred);
    } else {
        kernels->copy(out, pixel, in, in_pixel, inside, whole);
    }
}

void scp_source_read(float *out, size_t pixel, size_t line, const struct scp_source *source,
                     const struct scp_window *window) {
    for (size_t r = 0; r < window->rows; r++)
        read_row(out + r * line, pixel, source, window,
                 window->y + (ptrdiff_t)(r * step_of(window)));
}

struct sums {
    const struct scp_source *source;
    float *sums;
};

/* One panel, row by row. */
static enum scp_status sum_panel(void *context, size_t panel, size_t worker) {
    const struct sums *s = context;
    const struct scp_map *map = &s->source->map;
    const size_t count = scp_min(16, map->channels - panel * 16);
    float buffer[64 * 16];
    double total[16] = {0};
    (void)worker;
    for (size_t row = 0; row < map->batch * map->height; row++) {
        float sum[16] = {0};
        for (size_t x = 0; x < map->width; x += 64) {
            const size_t image = row / map->height, pixels = scp_min(64, map->width - x);
            const ptrdiff_t y = (ptrdiff_t)(row % map->height);
            const struct scp_window window = {image, y, (ptrdiff_t)x, 1, pixels, panel * 16, count,
                                              0,     1};
            scp_source_read(buffer, 16, 0, s->source, &window);
            scp_kernels()->maps.add(sum, buffer, pixels);
        }
        for (size_t j = 0; j < 16; j++) total[j] += (double)sum[j];
    }
    for (size_t j = 0; j < count; j++) s->sums[panel * 16 + j] += (float)total[j];
    return SCP_OK;
}

enum scp_status scp_source_sums(float *sums, const struct scp_source *source,
                                const struct scp_control *control) {
    struct sums s = {source, sums};
    return scp_parallel(scp_ceil_div(source->map.channels, 16), sum_panel, &s, control);
}
