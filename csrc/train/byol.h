/* Features without negatives. Private to csrc/train. */
#ifndef SCP_TRAIN_BYOL_H
#define SCP_TRAIN_BYOL_H

#include "scp/contrast.h"

/* scp_contrast_training with objective BYOL_LEVELS or BYOL. */
enum scp_status byol_training(struct scp_training *training, const struct scp_graph *graph,
                              const struct scp_pool *pool,
                              const struct scp_contrast_options *options, enum scp_making making,
                              const struct scp_control *control);

#endif
