/* What trainings on two views of an image share: the batch, and the network on both views. Private
 * to csrc/train. */
#ifndef SCP_TRAIN_TWO_VIEWS_H
#define SCP_TRAIN_TWO_VIEWS_H

#include "scp/contrast.h"

struct two_views {
    struct scp_pool pool;
    struct scp_contrast_options options;
    struct scp_plan *plan[SCP_VIEWS];
    struct scp_output outputs[SCP_VIEWS][SCP_MAX_LEVELS];
    struct scp_batch batch;
    size_t levels; /* outputs of the network */
    size_t first;  /* level: this one and the finer ones have a loss */
};

/* Checks all, adds what the views hold to *bytes, and with SCP_MAKE makes them. On an error they
 * are released by the caller, as else. */
enum scp_status two_views_make(struct two_views *views, size_t *bytes,
                               const struct scp_graph *graph, const struct scp_pool *pool,
                               const struct scp_contrast_options *options, enum scp_making making,
                               const struct scp_control *control);
void two_views_release(struct two_views *views);

/* The training's model 0, the network, and its groups: the parameters that the levels with a loss
 * depend on. */
enum scp_status two_views_network(struct scp_training *training, const struct two_views *views,
                                  const struct scp_graph *graph, const struct scp_control *control);

/* The network on one view, after the sampling of the step. */
enum scp_status two_views_forward(struct two_views *views, int view,
                                  const struct scp_values *network, uint64_t step,
                                  const struct scp_control *control);

/* All gradients of the outputs from level `first` to `end` - 1 become 0. */
void two_views_clear(struct two_views *views, size_t first, size_t end);

/* From the gradients of the outputs of both views. */
enum scp_status two_views_backward(struct two_views *views, const struct scp_values *network,
                                   const struct scp_control *control);

#endif
