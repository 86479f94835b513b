//! The contenders of a comparison.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::contenders::{tarpc, tcp, tonic, trill, trill_per_core, ttrpc};
use crate::drive::{self, Driver};
use crate::work::Work;

/// One way to do the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contender {
    Trill,
    /// Trill with a connection for each thread, whose callers and handlers run there.
    TrillPerCore,
    /// tonic where the form of its streams makes no difference, or only one form can do the work.
    Tonic,
    /// tonic's streams from an iterator.
    TonicIter,
    /// tonic's streams from a channel.
    TonicChannel,
    Tarpc,
    Ttrpc,
    /// Hand-written TCP, many messages a system call.
    Tcp,
    /// Hand-written TCP, one message a system call.
    TcpNaive,
    /// gRPC in Go, with `--with-go`.
    GrpcGo,
    /// tRPC in Go, with `--with-go`.
    TrpcGo,
}

impl Contender {
    /// In the order of legends, and of bars from top to bottom.
    pub(crate) const ALL: &[Self] = &[
        Self::Trill,
        Self::TrillPerCore,
        Self::Tonic,
        Self::TonicIter,
        Self::TonicChannel,
        Self::Tarpc,
        Self::Ttrpc,
        Self::Tcp,
        Self::TcpNaive,
        Self::GrpcGo,
        Self::TrpcGo,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trill => "trill",
            Self::TrillPerCore => "trill-per-core",
            Self::Tonic => "tonic",
            Self::TonicIter => "tonic-iter",
            Self::TonicChannel => "tonic-channel",
            Self::Tarpc => "tarpc",
            Self::Ttrpc => "ttrpc",
            Self::Tcp => "tcp",
            Self::TcpNaive => "tcp-naive",
            Self::GrpcGo => "grpc-go",
            Self::TrpcGo => "trpc-go",
        }
    }

    /// Tells whether it is one of tonic's forms.
    pub(crate) fn is_tonic(self) -> bool {
        matches!(self, Self::Tonic | Self::TonicIter | Self::TonicChannel)
    }

    /// Tells whether the program is another, in Go.
    pub(crate) fn is_go(self) -> bool {
        matches!(self, Self::GrpcGo | Self::TrpcGo)
    }

    /// Tells whether naming `asked` means this one; `tonic` means all its forms.
    pub(crate) fn is_meant_by(self, asked: Self) -> bool {
        self == asked || asked == Self::Tonic && self.is_tonic()
    }

    /// Serves until the process ends.
    pub(crate) async fn serve(self) -> Result<()> {
        match self {
            Self::Trill => trill::serve().await,
            Self::TrillPerCore => trill_per_core::serve().await,
            Self::Tonic | Self::TonicIter => tonic::serve_from_iterators().await,
            Self::TonicChannel => tonic::serve_from_channels().await,
            Self::Tarpc => tarpc::serve().await,
            Self::Ttrpc => ttrpc::serve().await,
            Self::Tcp | Self::TcpNaive => tcp::serve().await,
            Self::GrpcGo | Self::TrpcGo => bail!("it is another program"),
        }
    }

    /// Does the work of a client.
    pub(crate) async fn drive(
        self,
        work: Work,
        address: SocketAddr,
        driver: Driver,
    ) -> Result<drive::Measured> {
        match self {
            Self::Trill => driver.streams::<trill::Client>(work, address).await,
            Self::TrillPerCore => driver.streams::<trill_per_core::PerCore>(work, address).await,
            Self::Tonic | Self::TonicChannel => {
                driver.streams::<tonic::Client<tonic::Channels>>(work, address).await
            }
            Self::TonicIter => {
                driver.streams::<tonic::Client<tonic::Iterators>>(work, address).await
            }
            Self::Tarpc => driver.unary::<tarpc::Client>(work, address).await,
            Self::Ttrpc => driver.streams::<ttrpc::Client>(work, address).await,
            Self::Tcp | Self::TcpNaive => driver.streams::<tcp::Client>(work, address).await,
            Self::GrpcGo | Self::TrpcGo => bail!("it is another program"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contender_has_the_same_name_everywhere() {
        assert_eq!(Contender::ALL, Contender::value_variants());
        for contender in Contender::ALL {
            let option = contender.to_possible_value().expect("none is hidden");
            assert_eq!(option.get_name(), contender.name());
            assert_eq!(serde_json::to_value(contender).expect("it is a string"), contender.name());
        }
    }
}
