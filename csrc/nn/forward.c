/* Runs a plan forward. */
#include <math.h>

#include "memory.h"
#include "reduce.h"
#include "resample.h"
#include "upsample.h"

/* The coefficients of a value's norm from its raw floats (or from the running statistics). */
static enum scp_status norm(struct scp_plan *plan, const struct scp_value *v,
                            const float *parameters, float *state, const struct scp_run *run) {
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
        const enum scp_status status = scp_pass_moments(mean, variance, &v->map, !batch_norm, run);
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

static enum scp_status concat(struct scp_plan *plan, const struct scp_stage *stage,
                              const struct scp_run *run) {
    const struct scp_map *out = &plan->values[stage->value].map;
    struct scp_pass pass = {.out = *out, .first = out->channels};
    enum scp_status status = SCP_OK;
    if (out->channels % SCP_LANES)
        status = scp_pass_run(&pass, scp_pass_zero, run); /* the padding */
    for (size_t k = 0; k < stage->n_inputs && status == SCP_OK; k++) {
        const struct scp_value *value = plan->values + stage->inputs[k];
        if (value->root == stage->value) continue;
        pass.in = scp_value_source(value);
        pass.out = scp_concat_part(plan, stage, k, out);
        status = scp_pass_run(&pass, scp_pass_copy, run);
    }
    return status;
}

static enum scp_status conv(struct scp_plan *plan, const struct scp_stage *stage,
                            const float *parameters, const struct scp_run *run) {
    const struct scp_conv conv = scp_layer_conv(plan->graph, stage->layer);
    const struct scp_source in = scp_value_source(plan->values + stage->inputs[0]);
    const float *weights = parameters + plan->graph->blocks[stage->layer].parameters;
    const float *bias =
        plan->graph->layers[stage->layer].bias ? weights + scp_conv_weights(&conv) : NULL;
    return scp_conv_forward(&plan->values[stage->value].map, &in, weights, bias, &conv, run);
}

static enum scp_status compute(struct scp_plan *plan, const struct scp_stage *stage,
                               const float *parameters, const struct scp_run *run) {
    static const scp_pass_line lines[] = {[SCP_STAGE_COPY] = scp_pass_copy,
                                          [SCP_OP_MAX_POOL] = scp_pass_pool,
                                          [SCP_OP_RESIZE] = scp_pass_resize,
                                          [SCP_OP_ADD] = scp_pass_copy,
                                          [SCP_OP_MEAN] = scp_pass_mean,
                                          [SCP_OP_SIGMOID] = scp_pass_curve,
                                          [SCP_OP_TANH] = scp_pass_curve,
                                          [SCP_OP_DROPOUT] = scp_pass_dropout,
                                          [SCP_OP_AVERAGE_POOL] = scp_pass_average,
                                          [SCP_OP_UPSAMPLE] = scp_pass_upsample,
                                          [SCP_OP_MULTIPLY] = scp_pass_multiply,
                                          [SCP_OP_LOG_SOFTMAX] = scp_pass_log_softmax};
    if (stage->op == SCP_OP_CONV || stage->op == SCP_OP_TRANSPOSED)
        return conv(plan, stage, parameters, run);
    if (stage->op == SCP_OP_CONCAT) return concat(plan, stage, run);
    struct scp_pass pass = scp_stage_pass(plan, stage);
    pass.out = plan->values[stage->value].map;
    if (stage->op == SCP_OP_MULTIPLY) pass.other = plan->values[stage->inputs[1]].map;
    const enum scp_status status = scp_pass_run(&pass, lines[stage->op], run);
    if (status != SCP_OK || stage->op != SCP_OP_ADD) return status;
    pass.in.map = plan->values[stage->inputs[1]].map;
    pass.accumulate = 1;
    return scp_pass_run(&pass, scp_pass_add, run);
}

enum scp_status scp_plan_forward(struct scp_plan *plan, const float *parameters, float *state,
                                 const float *images, uint64_t seed, uint64_t step,
                                 const struct scp_control *control) {
    if (!plan->train && !state && plan->graph->n_state)
        return scp_invalid(control, "state", SCP_WHOLE, "must be given outside training");
    enum scp_status status = scp_plan_reserve(plan);
    const struct scp_run run = {plan->workspace, control};
    plan->ready = 0;
    plan->seed = seed + 0x9E3779B97F4A7C15u * step;
    /* Read only: a stage never writes value 0. */
    plan->values[0].map.data = (float *)(uintptr_t)images;
    for (size_t s = 0; s < plan->n_stages && status == SCP_OK; s++) {
        const struct scp_value *v = plan->values + plan->stages[s].value;
        status = compute(plan, plan->stages + s, parameters, &run);
        if (status == SCP_OK && v->norm) status = norm(plan, v, parameters, state, &run);
    }
    plan->ready = status == SCP_OK;
    return status;
}
