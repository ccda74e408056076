/* What the bindings of the trainings share: the type of a trainer, and how one is made. */
#ifndef SCP_PYTHON_TRAIN_H
#define SCP_PYTHON_TRAIN_H

#include "args.h"

#include "scp/train.h"

extern const struct scp_py_type scp_py_trainer;

/* The arrays of a training: a dict from names to lengths, NULL with an exception. */
PyObject *scp_py_arrays(const struct scp_training *training);

/* The trainer of a training that was made, and the sizes that its object knows. -1 with an
 * exception. */
int scp_py_trainer_of(struct scp_trainer **trainer, size_t *parameters, size_t *losses,
                      const struct scp_training *training, struct scp_args *args);

#endif
