/* Opens the CUDA plug-in, the only file of this folder in the core. Nothing here needs CUDA;
 * without dlopen there is no plug-in. */
#include "scp/cuda.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static _Atomic(const struct scp_cuda_table *) table;
static _Thread_local char reason[512] = "the CUDA plug-in has not been opened";

const struct scp_cuda_table *scp_cuda(void) {
    return atomic_load(&table);
}

const char *scp_cuda_reason(void) {
    return reason;
}

enum scp_status scp_cuda_open(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(reason, sizeof reason, "%s", dlerror());
        return SCP_EUNSUPPORTED;
    }
    void *symbol = dlsym(library, SCP_CUDA_SYMBOL);
    scp_cuda_entry entry;
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function */
    const struct scp_cuda_table *t = symbol ? entry(SCP_CUDA_ABI) : NULL;
    if (!t || t->abi != SCP_CUDA_ABI || t->bytes != sizeof *t) {
        snprintf(reason, sizeof reason, "%s is of another version of scp; build both together",
                 path);
        dlclose(library);
        return SCP_EUNSUPPORTED;
    }
    atomic_store(&table, t);
    return SCP_OK;
}
