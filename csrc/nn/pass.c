/* Runs passes line by line; those that go pixel by pixel. */
#include "pass.h"

#include <math.h>
#include <string.h>

#include "../kernels/kernels.h"
#include "source.h"

struct job {
    struct scp_pass pass;
    scp_pass_line line;
};

static enum scp_status run_line(void *context, size_t task, size_t worker) {
    const struct job *job = context;
    const size_t height = job->pass.out.height;
    const struct scp_line line = {task / height, task % height, worker};
    job->line(&job->pass, line);
    return SCP_OK;
}

enum scp_status scp_pass_run(const struct scp_pass *pass, scp_pass_line line,
                             const struct scp_run *run) {
    struct job job = {*pass, line};
    const size_t channels = pass->in.map.channels, lanes = scp_lanes_up(channels);
    if (!pass->in.deferred.scale) { /* the identity */
        float *scale = run->workspace, *slope = scale + 2 * lanes;
        memset(scale, 0, 3 * lanes * sizeof *scale);
        for (size_t c = 0; c < channels; c++) scale[c] = slope[c] = 1;
        job.pass.in.deferred = (struct scp_deferred){scale, scale + lanes, slope, 0};
    }
    job.pass.scratch = run->workspace + 3 * lanes;
    return scp_parallel(pass->out.batch * pass->out.height, run_line, &job, run->control);
}

static inline void put(float *to, int accumulate, float value) {
    *to = accumulate ? *to + value : value;
}

/* out = in as it is read */
void scp_pass_copy(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *out = &p->out;
    struct scp_window window = {.image = at.image, .y = (ptrdiff_t)at.y, .rows = 1};
    window.columns = out->width, window.channels = out->channels, window.exact = out->part;
    scp_source_read(scp_map_row(out, at.image, at.y), out->stride, 0, &p->in, &window);
}

void scp_pass_add(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *in = &p->in.map, *out = &p->out;
    float *to = scp_map_row(out, at.image, at.y);
    const float *from = scp_map_row(in, at.image, at.y);
    const size_t lanes = scp_lanes_up(out->channels);
    if (!in->part && out->stride >= lanes) { /* else whole vectors would touch a neighbour */
        scp_kernels()->passes.add(to, out->stride, p->accumulate, from, in->stride, 1, out->width,
                                  lanes);
        return;
    }
    for (size_t x = 0; x < out->width; x++)
        for (size_t c = 0; c < (out->stride < lanes ? out->channels : lanes); c++)
            put(to + x * out->stride + c, p->accumulate,
                c < in->channels ? from[x * in->stride + c] : 0);
}

void scp_pass_multiply(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *in = &p->in.map, *other = &p->other, *out = &p->out;
    const size_t lanes = scp_lanes_up(in->channels);
    float *to = scp_map_row(out, at.image, at.y);
    const float *a = scp_map_row(in, at.image, at.y), *b = scp_map_row(other, at.image, at.y);
    for (size_t x = 0; x < out->width; x++)
        for (size_t c = 0; c < lanes; c++)
            put(to + x * out->stride + c, p->accumulate,
                a[x * in->stride + c] * b[x * other->stride + c]);
}

void scp_pass_zero(const struct scp_pass *p, struct scp_line at) {
    const size_t n = scp_lanes_up(p->out.channels) - p->first;
    float *row = scp_map_row(&p->out, at.image, at.y) + p->first;
    for (size_t x = 0; x < p->out.width; x++) memset(row + x * p->out.stride, 0, n * sizeof *row);
}

enum scp_status scp_pass_backward(const struct scp_pass *pass, const struct scp_run *run) {
    if (!pass->in.backward.raw.data) return SCP_OK;
    struct scp_pass p = *pass;
    p.out = p.in.map;
    return scp_pass_run(&p, scp_pass_copy, run);
}

void scp_pass_curve(const struct scp_pass *p, struct scp_line at) {
    float *row = scp_map_row(&p->out, at.image, at.y);
    scp_pass_copy(p, at);
    for (size_t x = 0; x < p->out.width; x++)
        for (size_t c = 0; c < p->out.channels; c++) {
            float *v = row + x * p->out.stride + c;
            *v = p->curve == SCP_TANH ? tanhf(*v) : 1 / (1 + expf(-*v));
        }
}

void scp_pass_curve_backward(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *values = &p->values;
    float *to = scp_map_row(&p->out, at.image, at.y);
    const float *dy = scp_map_row(&p->gradient, at.image, at.y);
    const float *v = scp_map_row(values, at.image, at.y);
    for (size_t x = 0; x < values->width; x++)
        for (size_t c = 0; c < scp_lanes_up(values->channels); c++) {
            const float s = v[x * values->stride + c];
            const float slope = p->curve == SCP_TANH ? 1 - s * s : s * (1 - s);
            put(to + x * p->out.stride + c, p->accumulate,
                c < values->channels ? dy[x * p->gradient.stride + c] * slope : 0);
        }
}

void scp_pass_log_softmax(const struct scp_pass *p, struct scp_line at) {
    float *row = scp_map_row(&p->out, at.image, at.y);
    const size_t channels = p->out.channels;
    scp_pass_copy(p, at);
    for (size_t x = 0; x < p->out.width; x++, row += p->out.stride) {
        float max = row[0];
        double sum = 0;
        for (size_t c = 1; c < channels; c++) max = row[c] > max ? row[c] : max;
        for (size_t c = 0; c < channels; c++) sum += exp((double)(row[c] - max));
        const float log_sum = (float)log(sum);
        for (size_t c = 0; c < channels; c++) row[c] = row[c] - max - log_sum;
    }
}

void scp_pass_log_softmax_backward(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *values = &p->values;
    const size_t channels = values->channels, lanes = scp_lanes_up(channels);
    float *to = scp_map_row(&p->out, at.image, at.y);
    const float *dy = scp_map_row(&p->gradient, at.image, at.y);
    const float *v = scp_map_row(values, at.image, at.y);
    for (size_t x = 0; x < values->width; x++) {
        double sum = 0;
        for (size_t c = 0; c < channels; c++) sum += (double)dy[c];
        for (size_t c = 0; c < lanes; c++)
            put(to + c, p->accumulate, c < channels ? dy[c] - expf(v[c]) * (float)sum : 0);
        to += p->out.stride, dy += p->gradient.stride, v += values->stride;
    }
}

/* A row of a map has a stream of its own. */
void scp_pass_dropout(const struct scp_pass *p, struct scp_line at) {
    const struct scp_map *in = &p->in.map, *out = &p->out;
    const struct scp_deferred_row d = scp_deferred_row(&p->in.deferred, at.image, 0);
    const struct scp_draws draws = {p->seed, p->stream + at.image * out->height + at.y, p->rate};
    scp_kernels()->passes.dropout(scp_map_row(out, at.image, at.y), out->stride, p->accumulate,
                                  scp_map_row(in, at.image, at.y), in->stride, &d, out->width,
                                  out->channels, &draws);
}
