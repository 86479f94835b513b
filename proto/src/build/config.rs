//! How `.proto` files are compiled.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use protox::Compiler;
use protox::file::{ChainFileResolver, GoogleFileResolver};
use protox::prost_reflect::prost_types::FileDescriptorSet;

use super::error::Error;
use super::options::{Aliases, OptionsResolver};
use super::service::TraitGenerator;
use super::source::{Include, watch};
use super::{comments, names};

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
    behind_dyn: bool,
    names: names::Chosen,
}

impl Config {
    /// Writes into `OUT_DIR` and finds Trill under `::trill`.
    pub fn new() -> Self {
        Self {
            prost: prost_build::Config::new(),
            crate_path: "::trill".to_owned(),
            out_dir: None,
            json: false,
            behind_dyn: false,
            names: names::Chosen::default(),
        }
    }

    /// Sets the path under which the generated code finds Trill, when it is not a dependency of
    /// that name: `::my_rpc::trill`.
    pub fn crate_path(mut self, path: impl Into<String>) -> Self {
        self.crate_path = path.into();
        self
    }

    /// Marks the services with `json`: their unary methods take JSON as well. Their messages then
    /// need serde's traits, from a [`prost`](Self::prost) `type_attribute`, or from the crate
    /// `pbjson-build`.
    pub fn json(mut self) -> Self {
        self.json = true;
        self
    }

    /// Marks the services with `dyn`: each trait `Notes` gets an object-safe companion `DynNotes`,
    /// for a service that is chosen when the program runs.
    pub fn behind_dyn(mut self) -> Self {
        self.behind_dyn = true;
        self
    }

    /// Gives a service or a method another name in Rust; its name on the wire stays.
    ///
    /// For names that differ in the `.proto` file and not in Rust, such as `GetURL` and `GetUrl`,
    /// when the file cannot be changed. `proto` is the whole name: `test.Greeter`,
    /// `test.Greeter.SayHello`. [`compile`](Self::compile) fails if there is none of this name, or
    /// if `rust` is no name.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), trill_proto::build::Error> {
    /// trill_proto::build::Config::new()
    ///     .rust_name("shop.Pages.GetURL", "get_long_url")
    ///     .compile(&["proto/shop.proto"], &["proto"])
    /// # }
    /// ```
    pub fn rust_name(mut self, proto: impl Into<String>, rust: impl Into<String>) -> Self {
        self.names.insert(proto.into(), rust.into());
        self
    }

    /// Sets the folder to write into, which has to exist.
    pub fn out_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(path.into());
        self
    }

    /// Changes how messages are generated. Every setting of prost can be changed here, but for
    /// four that [`compile`](Self::compile) sets itself: the service generator, the paths of prost
    /// and of prost-types, and `out_dir` when it is set here.
    pub fn prost(mut self, change: impl FnOnce(&mut prost_build::Config)) -> Self {
        change(&mut self.prost);
        self
    }

    /// Compiles `.proto` files, one Rust file for each package, and tells cargo which files to
    /// watch.
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
            watch(path);
        }
        let descriptors = compiler.descriptor_pool();
        names::check(&descriptors, &self.names, self.behind_dyn)?;
        let mut files = compiler.file_descriptor_set();
        comments::rewrite(&mut files);
        if let Some(out_dir) = self.out_dir {
            self.prost.out_dir(out_dir);
        }
        let prost_path = format!("{}::prost", self.crate_path);
        let types_path = format!("{}::prost_types", self.crate_path);
        let generator = TraitGenerator {
            crate_path: self.crate_path,
            json: self.json,
            behind_dyn: self.behind_dyn,
            aliases: Aliases::of(&descriptors),
            names: self.names,
        };
        let prost = self.prost.prost_path(prost_path).prost_types_path(types_path);
        prost.service_generator(Box::new(generator));
        generate(&mut self.prost, files)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes the code. prost panics when it cannot, such as for two values of an enum whose names are
/// the same in Rust.
fn generate(prost: &mut prost_build::Config, files: FileDescriptorSet) -> Result<(), Error> {
    match catch_unwind(AssertUnwindSafe(|| prost.compile_fds(files))) {
        Ok(written) => written.map_err(Error::write),
        Err(panic) => match panic.downcast::<String>() {
            Ok(text) => Err(Error::generator(*text)),
            Err(panic) => resume_unwind(panic),
        },
    }
}

fn read(protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<Compiler, Error> {
    let mut resolver = ChainFileResolver::new();
    for include in includes {
        resolver.add(Include::new(include.as_ref()));
    }
    resolver.add(OptionsResolver);
    resolver.add(GoogleFileResolver::new());

    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    for proto in protos.iter().map(AsRef::as_ref) {
        if !proto.exists() && !includes.iter().any(|include| include.as_ref().join(proto).exists())
        {
            return Err(Error::missing(proto, includes));
        }
        compiler.open_file(proto).map_err(|error| Error::proto(error, includes))?;
    }
    Ok(compiler)
}
