/* Runs a plan backward. */
#include "memory.h"
#include "reduce.h"
#include "resample.h"
#include "upsample.h"

/* What the norm of a value adds to its gradient, and the gradients of gamma and beta. With
 * xhat = (x - mean) / deviation, s1 = sum g, s2 = sum g * xhat over n values:
 *     dx = gamma / deviation * (g - s1 / n - xhat * s2 / n). */
static enum scp_status norm_backward(struct scp_plan *plan, const struct scp_value *v,
                                     float *gradients, const float *parameters,
                                     const struct scp_run *run) {
    const struct scp_block *block = plan->graph->blocks + v->norm_layer;
    const size_t channels = v->map.channels, lanes = scp_lanes_up(channels);
    const int batch_norm = v->norm == SCP_OP_BATCH_NORM;
    const double n = (double)((batch_norm ? v->map.batch : 1) * v->map.height * v->map.width);
    double *sum = plan->statistics, *product = sum + plan->batch * lanes;
    const struct scp_source gradient = scp_value_gradient(v);
    const enum scp_status status = scp_pass_backward_sums(
        sum, product, scp_value_coef(v, SCP_CENTRE), &gradient, !batch_norm, run);
    if (status != SCP_OK) return status;
    for (size_t b = 0; b < v->images; b++) {
        const size_t at = b * v->image_step, from = batch_norm ? 0 : b * lanes;
        for (size_t c = 0; c < channels; c++) {
            const double gamma = batch_norm ? (double)parameters[block->parameters + c] : 1;
            const double inverse = (double)scp_value_coef(v, SCP_B)[at + c];
            const double slope = gamma * inverse,
                         mean = (double)scp_value_coef(v, SCP_CENTRE)[at + c];
            const double k = -slope * inverse * inverse * product[from + c] / n;
            if (batch_norm && b == 0 && gradients) {
                gradients[block->parameters + c] += (float)(inverse * product[c]);
                gradients[block->parameters + channels + c] += (float)sum[c];
            }
            scp_value_coef(v, SCP_A)[at + c] = (float)slope;
            scp_value_coef(v, SCP_B)[at + c] = (float)k;
            scp_value_coef(v, SCP_C)[at + c] = (float)(-slope * sum[from + c] / n - k * mean);
        }
    }
    return SCP_OK;
}

static enum scp_status conv_backward(struct scp_plan *plan, const struct scp_stage *stage,
                                     float *gradients, float *input_gradient,
                                     const float *parameters, const struct scp_run *run) {
    const struct scp_conv conv = scp_layer_conv(plan->graph, stage->layer);
    const struct scp_value *value = plan->values + stage->inputs[0];
    const struct scp_source in = scp_value_source(value);
    const struct scp_source out = scp_value_gradient(plan->values + stage->value);
    enum scp_status status = SCP_OK;
    if (gradients && !plan->frozen[stage->layer]) {
        float *weights = gradients + plan->graph->blocks[stage->layer].parameters;
        float *bias =
            plan->graph->layers[stage->layer].bias ? weights + scp_conv_weights(&conv) : NULL;
        status = scp_conv_backward_weights(weights, bias, &in, &out, &conv, run);
    }
    if (status != SCP_OK || (stage->inputs[0] == 0 && !input_gradient)) return status;
    return scp_conv_backward_data(&value->grad, stage->accumulate[0], &out,
                                  parameters + plan->graph->blocks[stage->layer].parameters, &conv,
                                  run);
}

/* The input's gradient (+)= from. */
static enum scp_status add(struct scp_plan *plan, const struct scp_stage *stage, size_t input,
                           const struct scp_map *from, const struct scp_run *run) {
    const struct scp_pass pass = {.out = plan->values[stage->inputs[input]].grad,
                                  .accumulate = stage->accumulate[input],
                                  .in.map = *from};
    return scp_pass_run(&pass, scp_pass_add, run);
}

static enum scp_status concat_backward(struct scp_plan *plan, const struct scp_stage *stage,
                                       const struct scp_run *run) {
    enum scp_status status = SCP_OK;
    for (size_t k = 0; k < stage->n_inputs && status == SCP_OK; k++) {
        if (plan->values[stage->inputs[k]].root == stage->value) continue;
        const struct scp_map part =
            scp_concat_part(plan, stage, k, &plan->values[stage->value].grad);
        status = add(plan, stage, k, &part, run);
    }
    return status;
}

static enum scp_status pass_backward(struct scp_plan *plan, const struct scp_stage *stage,
                                     float *input_gradient, const struct scp_run *run) {
    static const scp_pass_line lines[] = {[SCP_OP_MAX_POOL] = scp_pass_pool_backward,
                                          [SCP_OP_RESIZE] = scp_pass_resize_backward,
                                          [SCP_OP_MEAN] = scp_pass_mean_backward,
                                          [SCP_OP_SIGMOID] = scp_pass_curve_backward,
                                          [SCP_OP_TANH] = scp_pass_curve_backward,
                                          [SCP_OP_DROPOUT] = scp_pass_dropout,
                                          [SCP_OP_AVERAGE_POOL] = scp_pass_average_backward,
                                          [SCP_OP_UPSAMPLE] = scp_pass_upsample_backward,
                                          [SCP_OP_MULTIPLY] = scp_pass_multiply,
                                          [SCP_OP_LOG_SOFTMAX] = scp_pass_log_softmax_backward};
    const struct scp_value *out = plan->values + stage->value;
    struct scp_pass pass = {.in = scp_value_gradient(out)};
    enum scp_status status = scp_pass_backward(&pass, run);
    for (size_t k = 0; status == SCP_OK && k < stage->n_inputs; k++) {
        if (stage->inputs[k] == 0 && !input_gradient) continue;
        if (stage->op == SCP_STAGE_COPY || stage->op == SCP_OP_ADD) {
            status = add(plan, stage, k, &out->grad, run);
            continue;
        }
        pass = scp_stage_pass(plan, stage);
        pass.out = plan->values[stage->inputs[k]].grad;
        pass.accumulate = stage->accumulate[k];
        pass.gradient = out->grad;
        pass.values = out->map;
        if (stage->op == SCP_OP_DROPOUT || stage->op == SCP_OP_MULTIPLY)
            pass.in = (struct scp_source){.map = out->grad};
        if (stage->op == SCP_OP_MULTIPLY) pass.other = plan->values[stage->inputs[1 - k]].map;
        status = scp_pass_run(&pass, lines[stage->op], run);
    }
    return status;
}

enum scp_status scp_plan_backward(struct scp_plan *plan, float *gradients, float *input_gradient,
                                  const float *parameters, const struct scp_control *control) {
    if (!plan->train) return scp_invalid(control, "plan", SCP_WHOLE, "must be one for training");
    if (!plan->ready)
        return scp_invalid(control, "plan", SCP_WHOLE, "must have run forward: no plan_forward");
    enum scp_status status = scp_plan_reserve(plan);
    const struct scp_run run = {plan->workspace, control};
    plan->ready = 0;
    plan->values[0].grad = plan->values[0].map;
    plan->values[0].grad.data = input_gradient;
    for (size_t v = 0; v < plan->n_values && status == SCP_OK; v++)
        if (plan->values[v].zero_first)
            status =
                scp_pass_run(&(struct scp_pass){.out = plan->values[v].grad}, scp_pass_zero, &run);
    for (size_t s = plan->n_stages; s-- > 0 && status == SCP_OK;) {
        const struct scp_stage *stage = plan->stages + s;
        const struct scp_value *v = plan->values + stage->value;
        if (v->norm) status = norm_backward(plan, v, gradients, parameters, &run);
        if (status != SCP_OK) break;
        if (stage->op == SCP_OP_CONV || stage->op == SCP_OP_TRANSPOSED)
            status = conv_backward(plan, stage, gradients, input_gradient, parameters, &run);
        else if (stage->op == SCP_OP_CONCAT)
            status = concat_backward(plan, stage, &run);
        else
            status = pass_backward(plan, stage, input_gradient, &run);
    }
    return status;
}
