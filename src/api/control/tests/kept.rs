//! Changes that cannot be kept, and clients that do not wait for theirs.

use std::task::{Context, Poll, Waker};

use super::*;

const CREATE: &str = "OutputType=netflow&NetflowServerIp=192.0.2.9";

async fn refused_for(not_kept: NotKept) -> Answer {
    let mut memory = Memory::new(State::default());
    memory.not_kept = Some(not_kept);
    let memory = Arc::new(memory);
    let front = front_of(&memory, settings(Credentials::open()));
    let answer = Sent::sag("CreateFlowLog", CREATE).to(&front).await;
    assert_eq!(*memory.state(), State::default());
    answer
}

#[tokio::test]
async fn a_change_that_is_not_kept_is_not_answered_with_success() {
    let later = "The request has failed due to a temporary failure of the server.";
    for not_kept in [NotKept::Disk("no space".to_owned()), NotKept::Stopping] {
        let answer = refused_for(not_kept).await;
        answer.is_error(503, "ServiceUnavailable", later);
    }
    let why = NotKept::Contradiction("nine flow logs".to_owned());
    let message = "The specified parameter is invalid.";
    refused_for(why)
        .await
        .is_error(403, "InvalidParameter", message);
}

/// What has begun when the client goes is neither half done nor lost.
#[tokio::test]
async fn a_change_ends_also_when_its_client_is_gone() {
    let (front, memory) = open(State::default());
    {
        let request = Sent::sag("CreateFlowLog", CREATE).http();
        let mut answer = std::pin::pin!(front.answer(request));
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(answer.as_mut().poll(&mut context), Poll::Pending));
        assert_eq!(memory.state().sag.flow_logs().count(), 0);
    }
    tokio::task::yield_now().await;
    assert_eq!(memory.state().sag.flow_logs().count(), 1);
}

/// The edit of a daemon that breaks its word is never run.
#[tokio::test]
async fn a_change_that_nobody_made_is_our_failure() {
    struct Idle;
    impl Control for Idle {
        fn look(&self) -> Made {
            Memory::new(State::default()).look()
        }

        fn change(&self, edit: Edit) -> Changing<'_> {
            drop(edit);
            Box::pin(async { Ok(()) })
        }
    }
    let front = Front::new(Arc::new(Idle), settings(Credentials::open()));
    let answer = Sent::sag("CreateFlowLog", CREATE).to(&front).await;
    let message = "The request processing has failed due to some unknown error, exception or \
        failure.";
    answer.is_error(500, "InternalError", message);
}
