/* Axes of a convolution, and maps read row by row through their transform. */
#include "conv_parts.h"

#include <string.h>

static size_t gcd(size_t a, size_t b) {
    while (b) {
        const size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void scp_axis_forward(struct scp_axis *axis, size_t out, size_t kernel, size_t stride,
                      size_t dilation, size_t pad) {
    *axis = (struct scp_axis){.origin = -(ptrdiff_t)pad,
                              .count = out,
                              .stride = stride,
                              .step = dilation,
                              .taps = kernel,
                              .place_step = 1,
                              .weight_step = 1};
}

void scp_axis_adjoint(struct scp_axis *axis, size_t in, size_t kernel, size_t stride,
                      size_t dilation, size_t pad, size_t phase) {
    const size_t common = gcd(stride, dilation);
    *axis = (struct scp_axis){.count = in > phase ? (in - phase + stride - 1) / stride : 0,
                              .stride = 1,
                              .step = dilation / common,
                              .place = phase,
                              .place_step = stride,
                              .weight_step = -(ptrdiff_t)(stride / common)};
    for (size_t u = 0; u < kernel; u++) { /* source = (target + pad - u * dilation) / stride */
        const ptrdiff_t at = (ptrdiff_t)(phase + pad) - (ptrdiff_t)(u * dilation);
        if (at % (ptrdiff_t)stride) continue;
        axis->origin = at / (ptrdiff_t)stride; /* ascending positions: the last tap comes first */
        axis->first = (ptrdiff_t)u;
        axis->taps++;
    }
}

int scp_axis_inside(const struct scp_axis *axis, size_t length) {
    if (axis->taps == 0 || axis->count == 0) return 1;
    const size_t last = (axis->count - 1) * axis->stride + (axis->taps - 1) * axis->step;
    return axis->origin >= 0 && (size_t)axis->origin + last < length;
}

static size_t tile_floats(const struct scp_axis *y, const struct scp_axis *x, size_t pixel,
                          size_t more, size_t rows, size_t columns) {
    return scp_axis_span(y, rows) * scp_axis_span(x, columns) * pixel + rows * columns * more;
}

void scp_axis_tile(size_t *tile_y, size_t *tile_x, const struct scp_axis *y,
                   const struct scp_axis *x, size_t pixel, size_t more, size_t room) {
    double best = 0;
    for (size_t parts = 1, before = 0; parts == 1 || before > 24; parts++) {
        size_t columns = scp_ceil_div(x->count, parts), rows = 1;
        if (parts > 1) columns = scp_min(scp_ceil_div(columns, 12) * 12, x->count);
        if (columns == before) continue;
        before = columns;
        while (rows < y->count && tile_floats(y, x, pixel, more, rows + 1, columns) <= room) rows++;
        const double floats = (double)tile_floats(y, x, pixel, more, rows, columns);
        const double read = (double)(scp_axis_span(y, rows) * scp_axis_span(x, columns));
        double cost = read / (double)(rows * columns) * (1 + 0.01 * (double)parts);
        if (floats > (double)room) cost *= floats / (double)room;
        if (parts > 1 && cost >= best) continue;
        best = cost;
        *tile_y = rows;
        *tile_x = columns;
    }
}

void scp_source_pending(struct scp_source *source, const struct scp_map *map,
                        const struct scp_pending *pending) {
    *source = (struct scp_source){.map = *map};
    if (pending) source->pending = *pending;
}

void scp_source_pull(struct scp_source *source, const struct scp_map *map,
                     const struct scp_pull *pull) {
    *source = (struct scp_source){.map = *map};
    if (pull) source->pull = *pull;
}

int scp_source_identity(const struct scp_source *source) {
    return !source->pending.scale && !source->pull.raw.data;
}

void scp_map_flatten(struct scp_map *map) {
    map->width *= map->height;
    map->height = 1;
}

void scp_source_flatten(struct scp_source *source) {
    scp_map_flatten(&source->map);
    if (source->pull.raw.data) scp_map_flatten(&source->pull.raw);
}

size_t scp_strip_pixel(const struct scp_map *map) {
    const size_t whole = scp_lanes_up(map->channels);
    return map->stride >= whole ? whole : map->channels;
}

static struct scp_pending_row pending_row(const struct scp_pending *pending, size_t image,
                                          size_t first) {
    const size_t at = image * pending->image_step + first;
    return (struct scp_pending_row){pending->scale + at, pending->shift + at, pending->slope + at};
}

/* Pixels of fewer floats than whole vectors, one number at a time. */
static void narrow_row(float *out, size_t out_pixel, const struct scp_source *source,
                       const float *in, const float *raw, const struct scp_pull_row *row,
                       size_t count, size_t channels) {
    if (!row && out_pixel == channels && source->map.stride == channels) {
        memcpy(out, in, count * channels * sizeof *out);
        return;
    }
    for (size_t i = 0; i < count; i++, out += out_pixel, in += source->map.stride) {
        for (size_t c = 0; c < channels; c++) {
            if (raw) {
                const float x = raw[i * source->pull.raw.stride + c];
                const float t = row->pending.scale[c] * x + row->pending.shift[c];
                const float g = t > 0 ? in[c] : in[c] * row->pending.slope[c];
                out[c] = row->a ? row->a[c] * g + (row->b[c] * x + row->c[c])
                                : row->pending.scale[c] * g;
            } else if (row) {
                const float t = row->pending.scale[c] * in[c] + row->pending.shift[c];
                out[c] = t > 0 ? t : row->pending.slope[c] * t;
            } else {
                out[c] = in[c];
            }
        }
        for (size_t c = channels; c < scp_lanes_up(channels) && c < out_pixel; c++) out[c] = 0;
    }
}

static void zero_pixels(float *out, size_t out_pixel, size_t room, size_t count) {
    if (room == out_pixel) {
        memset(out, 0, count * room * sizeof *out);
        return;
    }
    for (size_t i = 0; i < count; i++) memset(out + i * out_pixel, 0, room * sizeof *out);
}

void scp_source_row(float *out, size_t out_pixel, const struct scp_nn_kernels *kernels,
                    const struct scp_source *source, size_t image, ptrdiff_t y, ptrdiff_t x,
                    size_t count, size_t first, size_t channels) {
    const struct scp_map *map = &source->map;
    const size_t whole = scp_lanes_up(channels), room = scp_min(whole, out_pixel);
    size_t before = x < 0 ? scp_min((size_t)-x, count) : 0, inside = 0;
    if (y < 0 || y >= (ptrdiff_t)map->height) before = count;
    const size_t from = (size_t)(x + (ptrdiff_t)before);
    if (before < count && from < map->width) inside = scp_min(count - before, map->width - from);
    zero_pixels(out, out_pixel, room, before);
    zero_pixels(out + (before + inside) * out_pixel, out_pixel, room, count - before - inside);
    if (!inside) return;
    const size_t pixel = (image * map->height + (size_t)y) * map->width + from;
    const float *in = map->data + pixel * map->stride + first, *raw = NULL;
    const int narrow = map->stride < scp_lanes_up(map->channels) || room < whole;
    out += before * out_pixel;
    struct scp_pull_row row = {{NULL, NULL, NULL}, NULL, NULL, NULL};
    if (source->pull.raw.data) {
        const struct scp_pull *pull = &source->pull;
        const size_t at = image * pull->pending.image_step + first;
        row.pending = pending_row(&pull->pending, image, first);
        if (pull->a) row.a = pull->a + at, row.b = pull->b + at, row.c = pull->c + at;
        raw = pull->raw.data + pixel * pull->raw.stride + first;
    } else if (source->pending.scale) {
        row.pending = pending_row(&source->pending, image, first);
    }
    if (narrow || (raw && source->pull.raw.stride < scp_lanes_up(map->channels)))
        narrow_row(out, out_pixel, source, in, raw, row.pending.scale ? &row : NULL, inside,
                   scp_min(channels, map->channels - first));
    else if (raw)
        kernels->pull(out, out_pixel, in, map->stride, raw, source->pull.raw.stride, inside, whole,
                      &row);
    else if (row.pending.scale)
        kernels->pending(out, out_pixel, in, map->stride, inside, whole, &row.pending);
    else
        kernels->copy(out, out_pixel, in, map->stride, inside, whole);
}

/* The part of [at, at + count) inside [0, length), as first and count. */
static size_t clip(ptrdiff_t at, size_t *count, size_t length) {
    const ptrdiff_t end = at + (ptrdiff_t)*count, last = (ptrdiff_t)length;
    const ptrdiff_t from = at > 0 ? at : 0, to = end < last ? end : last;
    *count = to > from ? (size_t)(to - from) : 0;
    return (size_t)from;
}

void scp_fetch_begin(struct scp_fetch *fetch, const struct scp_map *map, size_t image, ptrdiff_t y,
                     ptrdiff_t x, size_t rows, size_t columns, size_t first, size_t vectors) {
    const size_t from_y = clip(y, &rows, map->height), from_x = clip(x, &columns, map->width);
    const size_t pixel = map->stride, line = map->width * pixel;
    *fetch = (struct scp_fetch){NULL, 0, 0, line, pixel, vectors};
    if (!rows || !columns || image >= map->batch || pixel < 16) return;
    fetch->first = map->data + (image * map->height + from_y) * line + from_x * pixel + first;
    fetch->rows = rows;
    fetch->columns = columns;
}

void scp_fetch_source(struct scp_fetch fetch[2], const struct scp_source *source, size_t image,
                      ptrdiff_t y, ptrdiff_t x, size_t rows, size_t columns, size_t first,
                      size_t vectors) {
    fetch[1] = (struct scp_fetch){NULL, 0, 0, 0, 0, 0};
    scp_fetch_begin(fetch, &source->map, image, y, x, rows, columns, first, vectors);
    if (source->pull.raw.data)
        scp_fetch_begin(fetch + 1, &source->pull.raw, image, y, x, rows, columns, first, vectors);
}

static void add_share(struct scp_ask *ask, const struct scp_fetch *fetch, size_t part,
                      size_t parts) {
    const size_t all = fetch->rows * fetch->columns, end = (part + 1) * all / parts;
    const int whole = fetch->pixel == 16 * fetch->vectors; /* pixels follow each other */
    const size_t runs = whole ? 1 : fetch->vectors;
    for (size_t i = part * all / parts, count; i < end; i += count) {
        const size_t row = i / fetch->columns, column = i % fetch->columns;
        const float *at = fetch->first + row * fetch->line + column * fetch->pixel;
        count = scp_min(fetch->columns - column, end - i);
        for (size_t k = 0; k < runs && ask->runs < SCP_ASK_RUNS; k++) {
            ask->run[ask->runs].at = at + 16 * k;
            ask->run[ask->runs].step = whole ? 16 : fetch->pixel;
            ask->run[ask->runs].count = whole ? count * fetch->vectors : count;
            ask->lines += ask->run[ask->runs++].count;
        }
    }
}

void scp_fetch_share(struct scp_ask *ask, const struct scp_fetch *fetches, size_t count,
                     size_t part, size_t parts) {
    ask->runs = ask->lines = 0;
    for (size_t i = 0; i < count; i++) add_share(ask, fetches + i, part, parts);
}
