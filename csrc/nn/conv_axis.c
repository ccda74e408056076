/* Index arithmetic of an axis of a convolution and of its adjoint; tiles, whose sizes follow from
 * the shapes alone. */
#include "conv_axis.h"

#include "source.h"

static size_t gcd(size_t a, size_t b) {
    while (b) {
        const size_t remainder = a % b;
        a = b;
        b = remainder;
    }
    return a;
}

void scp_axis_forward(struct scp_axis *axis, size_t out, const struct scp_stencil *s) {
    *axis = (struct scp_axis){.origin = -(ptrdiff_t)s->pad, .count = out, .stride = s->stride};
    axis->step = s->dilation, axis->taps = s->kernel;
    axis->place_step = 1, axis->weight_step = 1;
}

void scp_axis_adjoint(struct scp_axis *axis, size_t in, const struct scp_stencil *s, size_t phase) {
    const size_t stride = s->stride, common = gcd(stride, s->dilation);
    *axis = (struct scp_axis){.count = in > phase ? (in - phase + stride - 1) / stride : 0,
                              .stride = 1,
                              .step = s->dilation / common,
                              .place = phase,
                              .place_step = stride,
                              .weight_step = -(ptrdiff_t)(stride / common)};
    for (size_t u = 0; u < s->kernel; u++) { /* source = (target + pad - u * dilation) / stride */
        const ptrdiff_t at = (ptrdiff_t)(phase + s->pad) - (ptrdiff_t)(u * s->dilation);
        if (at % (ptrdiff_t)stride) continue;
        axis->origin = at / (ptrdiff_t)stride; /* ascending positions: the last tap comes first */
        axis->first = (ptrdiff_t)u;
        axis->taps++;
    }
}

static size_t floats_of(const struct scp_tiles *t, size_t more, size_t rows, size_t columns) {
    return scp_axis_span(t->y, rows) * scp_axis_span(t->x, columns) * t->pixel +
           rows * columns * more;
}

static void choose_size(struct scp_tiles *t, size_t more, size_t room) {
    double best = 0;
    for (size_t parts = 1, before = 0; parts == 1 || before > 24; parts++) {
        size_t columns = scp_ceil_div(t->x->count, parts), rows = 1;
        if (parts > 1) columns = scp_min(scp_ceil_div(columns, 12) * 12, t->x->count);
        if (columns == before) continue;
        before = columns;
        while (rows < t->y->count && floats_of(t, more, rows + 1, columns) <= room) rows++;
        const double floats = (double)floats_of(t, more, rows, columns);
        const double read = (double)(scp_axis_span(t->y, rows) * scp_axis_span(t->x, columns));
        double cost = read / (double)(rows * columns) * (1 + 0.01 * (double)parts);
        if (floats > (double)room) cost *= floats / (double)room;
        if (parts > 1 && cost >= best) continue;
        best = cost;
        t->height = rows;
        t->width = columns;
    }
}

void scp_tiles_divide(struct scp_tiles *t, const struct scp_axis *y, const struct scp_axis *x,
                      size_t batch, size_t pixel, size_t more, size_t room, size_t tasks) {
    *t = (struct scp_tiles){.y = y, .x = x, .pixel = pixel};
    choose_size(t, more, room);
    t->across = scp_ceil_div(x->count, t->width);
    while (t->height > 4 && batch * t->across * scp_ceil_div(y->count, t->height) * tasks < 16)
        t->height = scp_ceil_div(t->height, 2);
    t->height = scp_ceil_div(y->count, scp_ceil_div(y->count, t->height));
    t->down = scp_ceil_div(y->count, t->height);
    t->count = batch * t->down * t->across;
    t->columns = scp_axis_span(x, t->width);
    t->strip = scp_lanes_up(scp_axis_span(y, t->height) * t->columns * pixel);
}

struct scp_tile scp_tiles_at(const struct scp_tiles *t, size_t index) {
    const size_t x = index % t->across * t->width, y = index / t->across % t->down * t->height;
    return (struct scp_tile){index / t->across / t->down, y, x, scp_min(t->height, t->y->count - y),
                             scp_min(t->width, t->x->count - x)};
}

struct scp_strip scp_tiles_read(const struct scp_tiles *t, const struct scp_tile *tile,
                                const struct scp_source *source, float *floats) {
    const size_t channels = source->map.channels;
    const size_t rows = scp_axis_span(t->y, tile->height);
    const size_t columns = scp_axis_span(t->x, tile->width);
    const ptrdiff_t top = scp_axis_source(t->y, tile->y), left = scp_axis_source(t->x, tile->x);
    const struct scp_window window = {tile->image, top, left, rows, columns, 0, channels, 0, 1};
    struct scp_strip strip = {floats, t->pixel, t->columns * t->pixel, t->x->taps, channels};
    if (t->y->taps && t->x->taps) scp_source_read(floats, strip.pixel, strip.line, source, &window);
    if (t->x->taps == 1 || (t->x->step == 1 && strip.pixel == channels)) {
        strip.across = 1;
        strip.length *= t->x->taps;
    }
    return strip;
}
