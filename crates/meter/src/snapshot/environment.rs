//! Environment variables that change the work, and the revision of the code that did it.

use crate::clean::without_home;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// The variables that change how fast or on what a framework computes: thread pools, compilers,
/// numerical libraries, allocators, the loader, the frameworks. By whole names: beginnings such as `TF_`
/// or `KERAS_` are also those of other people's keys and passwords.
const NAMES: [&str; 138] = [
    "OMP_NUM_THREADS",
    "OMP_DYNAMIC",
    "OMP_SCHEDULE",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "OMP_WAIT_POLICY",
    "OMP_STACKSIZE",
    "OMP_THREAD_LIMIT",
    "OMP_MAX_ACTIVE_LEVELS",
    "OMP_NESTED",
    "GOMP_CPU_AFFINITY",
    "GOMP_SPINCOUNT",
    "GOMP_STACKSIZE",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "KMP_HW_SUBSET",
    "KMP_LIBRARY",
    "KMP_STACKSIZE",
    "KMP_SETTINGS",
    "KMP_DUPLICATE_LIB_OK",
    "LIBOMP_NUM_HIDDEN_HELPER_THREADS",
    "LIBOMP_USE_HIDDEN_HELPER_TASK",
    "MKL_NUM_THREADS",
    "MKL_DYNAMIC",
    "MKL_DOMAIN_NUM_THREADS",
    "MKL_THREADING_LAYER",
    "MKL_INTERFACE_LAYER",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_CBWR",
    "MKL_DEBUG_CPU_TYPE",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_MAIN_FREE",
    "OPENBLAS_THREAD_TIMEOUT",
    "OPENBLAS_DEFAULT_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "BLIS_ARCH_TYPE",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "XLA_FLAGS",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
    "XLA_PYTHON_CLIENT_ALLOCATOR",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "TF_DETERMINISTIC_OPS",
    "TF_CUDNN_DETERMINISTIC",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_GPU_ALLOCATOR",
    "TF_GPU_THREAD_MODE",
    "TF_USE_LEGACY_KERAS",
    "TF_DISABLE_MKL",
    "TF_ENABLE_MKL_NATIVE_FORMAT",
    "ONEDNN_MAX_CPU_ISA",
    "ONEDNN_CPU_ISA_HINTS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY",
    "ONEDNN_VERBOSE",
    "DNNL_MAX_CPU_ISA",
    "DNNL_CPU_ISA_HINTS",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_PRIMITIVE_CACHE_CAPACITY",
    "DNNL_VERBOSE",
    "JAX_PLATFORMS",
    "JAX_PLATFORM_NAME",
    "JAX_ENABLE_X64",
    "JAX_DISABLE_JIT",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_DEFAULT_PRNG_IMPL",
    "JAX_DEBUG_NANS",
    "JAX_DEBUG_INFS",
    "JAX_ENABLE_COMPILATION_CACHE",
    "JAX_COMPILATION_CACHE_DIR",
    "JAX_NUM_CPU_DEVICES",
    "JAX_CPU_ENABLE_ASYNC_DISPATCH",
    "KERAS_BACKEND",
    "KERAS_HOME",
    "KERAS_MAX_EPOCHS",
    "KERAS_MAX_STEPS_PER_EPOCH",
    "KERAS_NNX_ENABLED",
    "TORCH_COMPILE_DISABLE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TORCH_CUDNN_V8_API_DISABLED",
    "TORCH_BLAS_PREFER_CUBLASLT",
    "TORCHDYNAMO_DISABLE",
    "TORCHINDUCTOR_CACHE_DIR",
    "TORCHINDUCTOR_MAX_AUTOTUNE",
    "TORCHINDUCTOR_FREEZING",
    "TORCHINDUCTOR_CPP_WRAPPER",
    "TORCHINDUCTOR_COMPILE_THREADS",
    "TORCHINDUCTOR_FORCE_DISABLE_CACHES",
    "PYTORCH_JIT",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_NO_CUDA_MEMORY_CACHING",
    "ATEN_CPU_CAPABILITY",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_MODULE_LOADING",
    "CUDA_CACHE_DISABLE",
    "CUDA_CACHE_PATH",
    "CUDA_DEVICE_MAX_CONNECTIONS",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "MALLOC_ARENA_MAX",
    "MALLOC_ARENA_TEST",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_PERTURB_",
    "MALLOC_CHECK_",
    "MALLOC_CONF",
    "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_BIND_NOW",
    "LD_AUDIT",
    "GLIBC_TUNABLES",
    "DYLD_INSERT_LIBRARIES",
    "DYLD_LIBRARY_PATH",
    "PYTHONHASHSEED",
    "PYTHONMALLOC",
    "PYTHONOPTIMIZE",
    "RAYON_NUM_THREADS",
    "TBB_NUM_THREADS",
    "OMPI_COMM_WORLD_SIZE",
    "SLURM_CPUS_PER_TASK",
];

/// This process's variables that change how fast or on what a framework computes. The home folder in
/// their values is written `~`.
pub fn environment() -> BTreeMap<String, String> {
    relevant(std::env::vars_os(), std::env::var("HOME").ok().as_deref())
}

/// As [`environment`], of any variables.
pub(crate) fn relevant(
    variables: impl Iterator<Item = (OsString, OsString)>,
    home: Option<&str>,
) -> BTreeMap<String, String> {
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| NAMES.contains(&name.as_str()))
        .map(|(name, value)| (name, without_home(&value.to_string_lossy(), home)))
        .collect()
}

/// The state of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// The commit that is checked out, 40 hexadecimal digits.
    pub revision: String,
    /// Whether files differ from it, or are new and not ignored.
    pub dirty: bool,
}

/// Asks `git` for the state of the repository that `root` belongs to. None where `git` is missing or
/// refuses, and where `root` only lies in a repository that does not track it.
pub fn git(root: &Path) -> Option<Git> {
    let revision = ask(root, &["rev-parse", "--verify", "HEAD"])?;
    ask(root, &["ls-files", "--error-unmatch", "--", "."])?;
    let changes = ask(root, &["status", "--porcelain", "--", "."])?;
    Some(Git { revision: revision.trim().to_owned(), dirty: !changes.trim().is_empty() })
}

fn ask(root: &Path, question: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(question)
        // Looking must not write: a refreshed index would be locked meanwhile.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_variable_that_may_be_a_secret_is_on_the_list() {
        let secret = ["TOKEN", "KEY", "SECRET", "PASSW", "CREDENTIAL", "AUTH", "COOKIE", "URL"];
        for name in NAMES {
            assert!(!secret.iter().any(|word| name.contains(word)), "{name}");
        }
        let mut sorted = NAMES.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), NAMES.len(), "each stands there once");
    }

    #[test]
    fn variables_that_only_begin_alike_stay_private() {
        let set = [
            ("OMP_NUM_THREADS", "4"),
            ("TF_API_TOKEN", "t"),
            ("KERAS_DB_PASSWORD", "p"),
            ("TORCH_HUB_KEY", "k"),
            ("PYTHON_KEYRING_BACKEND", "k"),
            ("CUDA_LICENSE", "l"),
            ("LD_LIBRARY_PATH", "/home/ann/lib:/x/home/ann/lib"),
        ];
        let variables = set.iter().map(|(n, v)| (OsString::from(n), OsString::from(v)));
        let found = relevant(variables, Some("/home/ann"));
        let wanted = [("LD_LIBRARY_PATH", "~/lib:/x/home/ann/lib"), ("OMP_NUM_THREADS", "4")];
        assert_eq!(found, wanted.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
    }
}
