//! How `.proto` files are compiled.

use std::path::{Path, PathBuf};

use protox::Compiler;
use protox::file::{ChainFileResolver, GoogleFileResolver, IncludeFileResolver};

use super::error::Error;
use super::options::{Aliases, OptionsResolver};
use super::service::{TraitGenerator, check_names};

/// How `.proto` files are compiled; the calls may come in any order.
///
/// ```no_run
/// # fn main() -> Result<(), trill_proto::build::Error> {
/// trill_proto::build::Config::new()
///     .prost(|prost| {
///         prost.bytes(["."]).include_file("protos.rs");
///     })
///     .compile(&["proto/greeter.proto"], &["proto"])
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is compiled before `compile`"]
pub struct Config {
    prost: prost_build::Config,
    crate_path: String,
    out_dir: Option<PathBuf>,
    json: bool,
}

impl Config {
    /// Writes into `OUT_DIR` and finds Trill under `::trill`.
    pub fn new() -> Self {
        Self {
            prost: prost_build::Config::new(),
            crate_path: "::trill".to_owned(),
            out_dir: None,
            json: false,
        }
    }

    /// Sets the path under which the generated code finds Trill, when it is not a dependency of that name: `::my_rpc::trill`.
    pub fn crate_path(mut self, path: impl Into<String>) -> Self {
        self.crate_path = path.into();
        self
    }

    /// Marks the services with `json`: their unary methods take JSON as well. Their messages then need serde's traits, from a
    /// [`prost`](Self::prost) `type_attribute`, or from the crate `pbjson-build`.
    pub fn json(mut self) -> Self {
        self.json = true;
        self
    }

    /// Sets the folder to write into, which has to exist.
    pub fn out_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(path.into());
        self
    }

    /// Changes how messages are generated. Whatever prost can be told can be said here, but for three things that
    /// [`compile`](Self::compile) sets itself: the service generator, the path of prost, and `out_dir` when it is set here.
    pub fn prost(mut self, change: impl FnOnce(&mut prost_build::Config)) -> Self {
        change(&mut self.prost);
        self
    }

    /// Compiles `.proto` files, one Rust file for each package, and tells cargo which files to watch.
    ///
    /// # Errors
    ///
    /// As with [`compile`](super::compile()).
    pub fn compile(
        mut self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<(), Error> {
        let compiler = read(protos, includes)?;
        for path in compiler.files().filter_map(|file| file.path()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
        let descriptors = compiler.descriptor_pool();
        check_names(&descriptors)?;
        if let Some(out_dir) = self.out_dir {
            self.prost.out_dir(out_dir);
        }
        self.prost
            .prost_path(format!("{}::prost", self.crate_path))
            .service_generator(Box::new(TraitGenerator::new(
                self.crate_path,
                self.json,
                Aliases::of(&descriptors),
            )))
            .compile_fds(compiler.file_descriptor_set())
            .map_err(Error::write)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

fn read(protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<Compiler, Error> {
    let mut resolver = ChainFileResolver::new();
    for include in includes {
        resolver.add(IncludeFileResolver::new(include.as_ref().to_owned()));
    }
    resolver.add(OptionsResolver);
    resolver.add(GoogleFileResolver::new());

    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    for proto in protos.iter().map(AsRef::as_ref) {
        if !proto.exists() && !includes.iter().any(|include| include.as_ref().join(proto).exists()) {
            return Err(Error::missing(proto, includes));
        }
        compiler.open_file(proto).map_err(|error| Error::proto(error, includes))?;
    }
    Ok(compiler)
}
