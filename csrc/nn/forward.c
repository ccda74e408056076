#include <math.h>

#include "passes.h"
#include "plan.h"

/* The coefficients of a value's norm from its raw floats (or from the running statistics). */
static enum scp_status norm(struct scp_plan *plan, const struct scp_value *v,
                            const float *parameters, float *state,
                            const struct scp_control *control) {
    const struct scp_layer *layer = plan->graph->layers + v->norm_layer;
    const struct scp_block *block = plan->graph->blocks + v->norm_layer;
    const size_t channels = v->map.channels, lanes = scp_lanes_up(channels);
    const int batch_norm = v->norm == SCP_OP_BATCH_NORM;
    const float *gamma = batch_norm ? parameters + block->parameters : NULL;
    float *running = batch_norm && state ? state + block->state : NULL;
    double *mean = plan->statistics, *variance = mean + plan->batch * lanes;
    if (batch_norm && !plan->train) {
        for (size_t c = 0; c < channels; c++) {
            mean[c] = (double)running[c];
            variance[c] = (double)running[channels + c];
        }
    } else {
        enum scp_status status =
            scp_pass_moments(mean, variance, &v->map, !batch_norm, plan->workspace, control);
        if (status != SCP_OK) return status;
    }
    if (batch_norm && plan->train && running) {
        const double n = (double)(v->map.batch * v->map.height * v->map.width);
        const double m = (double)layer->momentum, unbiased = n > 1 ? n / (n - 1) : 1;
        for (size_t c = 0; c < channels; c++) {
            float *var = running + channels + c;
            running[c] = (float)((1 - m) * (double)running[c] + m * mean[c]);
            *var = (float)((1 - m) * (double)*var + m * unbiased * variance[c]);
        }
    }
    for (size_t b = 0; b < v->images; b++) {
        const size_t to = b * v->image_step, from = batch_norm ? 0 : b * lanes;
        for (size_t c = 0; c < channels; c++) {
            const double inverse = 1 / sqrt(variance[from + c] + (double)layer->epsilon);
            const double scale = (gamma ? (double)gamma[c] : 1) * inverse;
            const double beta = gamma ? (double)gamma[channels + c] : 0;
            scp_value_coef(v, SCP_SCALE)[to + c] = (float)scale;
            scp_value_coef(v, SCP_SHIFT)[to + c] = (float)(beta - mean[from + c] * scale);
            if (!plan->train) continue;
            scp_value_coef(v, SCP_CENTRE)[to + c] = (float)mean[from + c];
            scp_value_coef(v, SCP_B)[to + c] = (float)inverse; /* until backward */
        }
    }
    return SCP_OK;
}

struct scp_map scp_concat_part(const struct scp_plan *plan, const struct scp_step *step, size_t k,
                               const struct scp_map *whole) {
    struct scp_map part = *whole;
    for (size_t j = 0; j < k; j++) part.data += plan->values[step->inputs[j]].map.channels;
    part.channels = plan->values[step->inputs[k]].map.channels;
    part.part = 1;
    return part;
}

static enum scp_status concat(struct scp_plan *plan, const struct scp_step *step,
                              const struct scp_control *control) {
    const struct scp_map *out = &plan->values[step->value].map;
    enum scp_status status = SCP_OK;
    if (out->channels % SCP_LANES)
        status = scp_pass_zero(out, out->channels, control); /* the padding */
    for (size_t k = 0; k < step->n_inputs && status == SCP_OK; k++) {
        const struct scp_value *in = plan->values + step->inputs[k];
        if (in->root == step->value) continue;
        const struct scp_pending pending = scp_value_pending(in);
        const struct scp_map part = scp_concat_part(plan, step, k, out);
        status = scp_pass_finish(&part, &in->map, &pending, plan->workspace, control);
    }
    return status;
}

static enum scp_status compute(struct scp_plan *plan, const struct scp_step *step,
                               const float *parameters, const struct scp_control *control) {
    const struct scp_layer *layer = plan->graph->layers + step->layer;
    const struct scp_value *in = plan->values + step->inputs[0];
    const struct scp_map *out = &plan->values[step->value].map;
    const struct scp_pending pending = scp_value_pending(in);
    float *workspace = plan->workspace;
    switch (step->op) {
    case SCP_STEP_CONV: {
        const struct scp_conv conv = scp_layer_conv(plan->graph, step->layer);
        const float *weights = parameters + plan->graph->blocks[step->layer].parameters;
        const size_t n = conv.kernel_y * conv.kernel_x * conv.in * conv.out;
        return scp_conv_forward(out, &in->map, &pending, weights, layer->bias ? weights + n : NULL,
                                &conv, workspace, control);
    }
    case SCP_STEP_COPY:
        return scp_pass_finish(out, &in->map, &pending, workspace, control);
    case SCP_STEP_POOL:
        return scp_pass_pool(out, &in->map, &pending, workspace, control);
    case SCP_STEP_RESIZE:
        return scp_pass_resize(out, &in->map, &pending, (int)layer->align, workspace, control);
    case SCP_STEP_CONCAT:
        return concat(plan, step, control);
    case SCP_STEP_ADD: {
        const enum scp_status status = scp_pass_finish(out, &in->map, &pending, workspace, control);
        if (status != SCP_OK) return status;
        return scp_pass_add(out, 1, &plan->values[step->inputs[1]].map, 1, control);
    }
    case SCP_STEP_MEAN:
        return scp_pass_mean(out, &in->map, &pending, workspace, control);
    case SCP_STEP_SIGMOID:
        return scp_pass_curve(out, &in->map, &pending, SCP_SIGMOID, workspace, control);
    case SCP_STEP_TANH:
        return scp_pass_curve(out, &in->map, &pending, SCP_TANH, workspace, control);
    case SCP_STEP_DROPOUT:
        return scp_pass_dropout(out, 0, &in->map, &pending, layer->rate, plan->seed,
                                (uint64_t)step->layer << 32, workspace, control);
    }
    return SCP_EINVAL;
}

enum scp_status scp_plan_forward(struct scp_plan *plan, const float *parameters, float *state,
                                 const float *images, uint64_t seed, uint64_t step,
                                 const struct scp_control *control) {
    if (!plan->train && !state && plan->graph->n_state)
        return scp_invalid(control, "state", SCP_WHOLE, "must be given outside training");
    enum scp_status status = scp_plan_reserve(plan);
    plan->ready = 0;
    plan->seed = seed + 0x9E3779B97F4A7C15u * step;
    /* Read only: a step never writes value 0. */
    plan->values[0].map.data = (float *)(uintptr_t)images;
    for (size_t s = 0; s < plan->n_steps && status == SCP_OK; s++) {
        const struct scp_value *v = plan->values + plan->steps[s].value;
        status = compute(plan, plan->steps + s, parameters, control);
        if (status == SCP_OK && v->norm) status = norm(plan, v, parameters, state, control);
    }
    plan->ready = status == SCP_OK;
    return status;
}
