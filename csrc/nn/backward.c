#include "passes.h"
#include "plan.h"

/* What the norm of a value adds to its gradient, and the gradients of gamma and beta. With
 * xhat = (x - mean) / deviation, s1 = sum g, s2 = sum g * xhat over n values:
 *     dx = gamma / deviation * (g - s1 / n - xhat * s2 / n). */
static enum scp_status norm_pull(struct scp_plan *plan, const struct scp_value *v, float *gradients,
                                 const float *parameters, const struct scp_control *control) {
    const struct scp_block *block = plan->graph->blocks + v->norm_layer;
    const size_t channels = v->map.channels, lanes = scp_lanes_up(channels);
    const int batch_norm = v->norm == SCP_OP_BATCH_NORM;
    const double n = (double)((batch_norm ? v->map.batch : 1) * v->map.height * v->map.width);
    double *sum = plan->statistics, *product = sum + plan->batch * lanes;
    const struct scp_pull pull = scp_value_pull(v);
    enum scp_status status =
        scp_pass_pull_sums(sum, product, scp_value_coef(v, SCP_CENTRE), v->image_step, &v->grad,
                           &pull, !batch_norm, plan->workspace, control);
    if (status != SCP_OK) return status;
    for (size_t b = 0; b < v->images; b++) {
        const size_t at = b * v->image_step, from = batch_norm ? 0 : b * lanes;
        for (size_t c = 0; c < channels; c++) {
            const double gamma = batch_norm ? (double)parameters[block->parameters + c] : 1;
            const double inverse = (double)scp_value_coef(v, SCP_B)[at + c];
            const double slope = gamma * inverse,
                         mean = (double)scp_value_coef(v, SCP_CENTRE)[at + c];
            const double k = -slope * inverse * inverse * product[from + c] / n;
            if (batch_norm && b == 0) {
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

static enum scp_status conv_pull(struct scp_plan *plan, const struct scp_step *step,
                                 float *gradients, float *input_gradient, const float *parameters,
                                 const struct scp_control *control) {
    const struct scp_conv conv = scp_layer_conv(plan->graph, step->layer);
    const struct scp_value *out = plan->values + step->value;
    const struct scp_value *in = plan->values + step->inputs[0];
    const size_t block = plan->graph->blocks[step->layer].parameters;
    const size_t n = conv.kernel_y * conv.kernel_x * conv.in * conv.out;
    const struct scp_pending pending = scp_value_pending(in);
    const struct scp_pull pull = scp_value_pull(out);
    float *bias = plan->graph->layers[step->layer].bias ? gradients + block + n : NULL;
    enum scp_status status =
        scp_conv_backward_weights(gradients + block, bias, &in->map, &pending, &out->grad, &pull,
                                  &conv, plan->workspace, control);
    if (status != SCP_OK || (step->inputs[0] == 0 && !input_gradient)) return status;
    return scp_conv_backward_data(&in->grad, step->accumulate[0], &out->grad, &pull,
                                  parameters + block, &conv, plan->workspace, control);
}

static enum scp_status concat_pull(struct scp_plan *plan, const struct scp_step *step,
                                   const struct scp_control *control) {
    const struct scp_value *out = plan->values + step->value;
    enum scp_status status = SCP_OK;
    for (size_t k = 0; k < step->n_inputs && status == SCP_OK; k++) {
        const struct scp_value *in = plan->values + step->inputs[k];
        if (in->root == step->value) continue;
        const struct scp_map part = scp_concat_part(plan, step, k, &out->grad);
        status = scp_pass_add(&in->grad, step->accumulate[k], &part, 1, control);
    }
    return status;
}

static enum scp_status other_pull(struct scp_plan *plan, const struct scp_step *step,
                                  float *input_gradient, const struct scp_control *control) {
    const struct scp_layer *layer = plan->graph->layers + step->layer;
    const struct scp_value *out = plan->values + step->value;
    const struct scp_value *in = plan->values + step->inputs[0];
    const struct scp_pending pending = scp_value_pending(in);
    const struct scp_map *to = &in->grad, *from = &out->grad;
    const int accumulate = step->accumulate[0];
    float *workspace = plan->workspace;
    const struct scp_pull pull = scp_value_pull(out);
    const enum scp_status settled = scp_pass_settle(from, &pull, control);
    if (settled != SCP_OK) return settled;
    if (step->inputs[0] == 0 && !input_gradient) return SCP_OK;
    switch (step->op) {
    case SCP_STEP_COPY:
        return scp_pass_add(to, accumulate, from, 1, control);
    case SCP_STEP_POOL:
        return scp_pass_pool_pull(to, accumulate, from, &in->map, &pending, workspace, control);
    case SCP_STEP_RESIZE:
        return scp_pass_resize_pull(to, accumulate, from, (int)layer->align, workspace, control);
    case SCP_STEP_ADD: {
        const enum scp_status status = scp_pass_add(to, accumulate, from, 1, control);
        if (status != SCP_OK) return status;
        return scp_pass_add(&plan->values[step->inputs[1]].grad, step->accumulate[1], from, 1,
                            control);
    }
    case SCP_STEP_MEAN:
        return scp_pass_mean_pull(to, accumulate, from, control);
    case SCP_STEP_SIGMOID:
        return scp_pass_curve_pull(to, accumulate, from, &out->map, SCP_SIGMOID, control);
    case SCP_STEP_TANH:
        return scp_pass_curve_pull(to, accumulate, from, &out->map, SCP_TANH, control);
    case SCP_STEP_DROPOUT:
        return scp_pass_dropout(to, accumulate, from, NULL, layer->rate, plan->seed,
                                (uint64_t)step->layer << 32, workspace, control);
    default:
        return SCP_EINVAL;
    }
}

enum scp_status scp_plan_backward(struct scp_plan *plan, float *gradients, float *input_gradient,
                                  const float *parameters, const struct scp_control *control) {
    if (!plan->train) return scp_invalid(control, "plan", SCP_WHOLE, "must be one for training");
    if (!plan->ready)
        return scp_invalid(control, "plan", SCP_WHOLE, "must have run forward: no plan_forward");
    enum scp_status status = scp_plan_reserve(plan);
    plan->ready = 0;
    plan->values[0].grad = plan->values[0].map;
    plan->values[0].grad.data = input_gradient;
    for (size_t v = 0; v < plan->n_values && status == SCP_OK; v++)
        if (plan->values[v].zero_first) status = scp_pass_zero(&plan->values[v].grad, 0, control);
    for (size_t s = plan->n_steps; s-- > 0 && status == SCP_OK;) {
        const struct scp_step *step = plan->steps + s;
        const struct scp_value *v = plan->values + step->value;
        if (v->norm) status = norm_pull(plan, v, gradients, parameters, control);
        if (status != SCP_OK) break;
        if (step->op == SCP_STEP_CONV)
            status = conv_pull(plan, step, gradients, input_gradient, parameters, control);
        else if (step->op == SCP_STEP_CONCAT)
            status = concat_pull(plan, step, control);
        else
            status = other_pull(plan, step, input_gradient, control);
    }
    return status;
}
