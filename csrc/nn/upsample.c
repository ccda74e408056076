/* Upsampling with zeros outside. Pixel factor * q + phase of the larger axis lies at
 *     q + (phase + 0.5) / factor - 0.5
 * of the smaller one, so its weights depend on the phase alone, and pixels of one phase go
 * together.
 */
#include "upsample.h"

#include <math.h>

#include "../kernels/kernels.h"
#include "resample.h"

#define FILTER_TAPS 4

/* What a phase reads: pixels q + first .. q + first + taps - 1 of the smaller axis. */
struct filter {
    ptrdiff_t first;
    float weight[FILTER_TAPS];
};

/* Keys' kernel with a = -1/2, at the distance x. */
static double keys(double x) {
    x = fabs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

static struct filter filter_of(size_t phase, const struct scp_pass *p) {
    const double at = ((double)phase + 0.5) / (double)p->factor - 0.5;
    struct filter f = {.first = (ptrdiff_t)floor(at) - (p->taps == 4)};
    for (size_t k = 0; k < p->taps; k++) {
        const double x = at - (double)(f.first + (ptrdiff_t)k);
        f.weight[k] = (float)(p->taps == 4 ? keys(x) : 1 - fabs(x));
    }
    return f;
}

/* The pixels q, from .. end - 1, for which q + shift is one too. */
struct range {
    size_t from, end;
};

static struct range range_of(ptrdiff_t shift, size_t pixels) {
    const size_t from = shift < 0 ? scp_min((size_t)-shift, pixels) : 0;
    const size_t end = shift > 0 ? pixels - scp_min((size_t)shift, pixels) : pixels;
    return (struct range){from, end > from ? end : from};
}

void scp_pass_upsample(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *in = &p->in.map, *out = &p->out;
    const struct scp_kernels *k = scp_kernels();
    const struct scp_deferred_row d = scp_deferred_row(&p->in.deferred, at.image, 0);
    const size_t lanes = scp_lanes_up(in->channels), factor = p->factor;
    float *sum = p->scratch + at.worker * scp_resample_scratch(out),
          *line = sum + in->width * lanes;
    float *to = scp_map_row(out, at.image, at.y);
    const struct filter rows = filter_of(at.y % factor, p);
    int some = 0;
    for (size_t t = 0; t < p->taps; t++) {
        const ptrdiff_t y = (ptrdiff_t)(at.y / factor) + rows.first + (ptrdiff_t)t;
        if (y < 0 || y >= (ptrdiff_t)in->height) continue;
        k->maps.deferred(line, lanes, scp_map_row(in, at.image, (size_t)y), in->stride, in->width,
                         lanes, &d);
        k->passes.add(sum, lanes, some, line, lanes, rows.weight[t], in->width, lanes);
        some = 1;
    }
    for (size_t phase = 0; phase < factor; phase++) {
        const struct filter f = filter_of(phase, p);
        const size_t own = (size_t)-f.first; /* the tap on q itself, which all pixels have */
        float *first = to + phase * out->stride;
        k->passes.add(first, factor * out->stride, 0, sum, lanes, f.weight[own], in->width, lanes);
        for (size_t t = 0; t < p->taps; t++) {
            const ptrdiff_t shift = f.first + (ptrdiff_t)t;
            const struct range q = range_of(shift, in->width);
            if (t != own)
                k->passes.add(first + q.from * factor * out->stride, factor * out->stride, 1,
                              sum + (size_t)((ptrdiff_t)q.from + shift) * lanes, lanes, f.weight[t],
                              q.end - q.from, lanes);
        }
    }
}

/* The adjoint: the rows of the output that read this row of the input, then their pixels. */
void scp_pass_upsample_backward(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *to = &p->out, *from = &p->gradient;
    const struct scp_passes_kernels *k = &scp_kernels()->passes;
    const size_t lanes = scp_lanes_up(to->channels), factor = p->factor;
    float *sum = p->scratch + at.worker * scp_resample_scratch(from);
    float *row = scp_map_row(to, at.image, at.y);
    int some = 0;
    for (size_t phase = 0; phase < factor; phase++) {
        const struct filter rows = filter_of(phase, p);
        for (size_t t = 0; t < p->taps; t++) {
            const ptrdiff_t q = (ptrdiff_t)at.y - rows.first - (ptrdiff_t)t;
            if (q < 0 || q >= (ptrdiff_t)to->height) continue;
            k->add(sum, lanes, some, scp_map_row(from, at.image, (size_t)q * factor + phase),
                   from->stride, rows.weight[t], from->width, lanes);
            some = 1;
        }
    }
    for (size_t phase = 0; phase < factor; phase++) {
        const struct filter f = filter_of(phase, p);
        const size_t own = (size_t)-f.first;
        const float *first = sum + phase * lanes;
        k->add(row, to->stride, p->accumulate || phase > 0, first, factor * lanes, f.weight[own],
               to->width, lanes);
        for (size_t t = 0; t < p->taps; t++) {
            const ptrdiff_t shift = f.first + (ptrdiff_t)t;
            const struct range q = range_of(shift, to->width);
            if (t != own)
                k->add(row + (size_t)((ptrdiff_t)q.from + shift) * to->stride, to->stride, 1,
                       first + q.from * factor * lanes, factor * lanes, f.weight[t], q.end - q.from,
                       lanes);
        }
    }
}
