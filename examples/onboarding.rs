//! An extension in one file: a purchase is carried out in three deliveries, each by the transaction whose turn it is.
//!
//! | delivery | transaction | then |
//! | --- | --- | --- |
//! | 1 | *create tenant* makes a tenant at the vendor and writes its id into the request | comes again in 30 s |
//! | 2 | *create user* is a sequence: it takes seats and makes a user; where that fails, the seats are given back | comes again in 30 s |
//! | 3 | *approve* approves the request | done |
//!
//! The vendor's token is cached between deliveries. See it run, with a console around it:
//!
//! ```text
//! cargo run --example onboarding                                                   # then trigger a purchase
//! cargo run --example onboarding -- trigger asset_purchase_request_processing      # without the screen
//! ```
//!
//! Set the variable `SEATS` to 5 and apply the changes: the next purchase (of 10 seats) fails, and says why. Set `ADMIN_BLOCKED`
//! to the e-mail address of the administrator: the seats are taken, the user can't be made, the seats are given back.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use connect_console::connect::{Approve, Param};
use connect_console::extension::{Background, Context, Extension, HandlerError};
use connect_console::fulfillment::cache::{Cache, Entry};
use connect_console::fulfillment::{Bindings, FnStep, Log, Request, Saga, Sequence, ServiceProvider, Transaction, async_trait};
use connect_console::inject;

fn main() -> ExitCode {
    connect_console::main(extension(Vendor::default()))
}

/// What Connect is told about the extension, and what it does with a purchase.
pub fn extension(vendor: Vendor) -> Extension {
    let saga = Saga::new("purchase")
        .provider(VendorProvider(vendor))
        .inject::<CreateTenant>()
        .inject_with(|needs| Ok(create_user(needs.get()?)))
        .inject::<ApproveRequest>();
    Extension::new("onboarding", "1.0.0")
        .variable("SEATS", "100")
        .variable("ADMIN_BLOCKED", "")
        .variable("TEMPLATE_ID", "TL-276-377-545")
        .variable("CACHE_DRIVER", "file")
        .variable("CACHE_TTL", "3600")
        .secure_variable("VENDOR_PASSWORD", "change-me")
        .background("asset_purchase_request_processing", &["pending"], saga.handler())
}

/// Where the tenant's id and the user's token are kept: fulfilment parameters of the product.
const TENANT: &str = "backup_tenant_id";
const USER: &str = "activation_token";
const AGAIN: Background = Background::Reschedule(Duration::from_secs(30));

/// First delivery. What is bound in the container comes by itself; `vendor_password` is the variable of that name.
struct CreateTenant {
    vendor: Arc<Vendor>,
    cache: Arc<dyn Cache>,
    log: Arc<Log>,
    vendor_password: String,
}
inject!(CreateTenant { vendor, cache, log, vendor_password: config });

#[async_trait]
impl Transaction for CreateTenant {
    fn name(&self) -> &str {
        "create tenant"
    }

    async fn should_execute(&self, _: &Context, request: &Request) -> Result<bool, HandlerError> {
        Ok(request.asset().param_text(TENANT).is_none())
    }

    async fn execute(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError> {
        // The vendor says how long its token is good for.
        let log_in = async || {
            self.log.info("logging in at the vendor");
            let (token, seconds) = self.vendor.log_in(&self.vendor_password)?;
            Ok::<_, HandlerError>(Entry::lasting(token, Duration::from_secs(seconds)))
        };
        let token: String = self.cache.get_or_else("onboarding vendor token", log_in).await?;
        let tenant = self.vendor.create_tenant(&token, request.asset().id())?;
        request.update_params(&cx.client, &[Param::new(TENANT).value(tenant)]).await?;
        Ok(AGAIN)
    }

    /// Connect may have refused the parameter: a tenant nobody knows of must not stay. The task is delivered again.
    async fn compensate(&self, _: &Context, request: &Request, error: HandlerError) -> Result<Background, HandlerError> {
        self.vendor.delete_tenant(request.asset().id());
        Err(error)
    }
}

/// Second delivery: steps, of which those that are done are undone when a later one fails.
fn create_user(vendor: Arc<Vendor>) -> Sequence {
    let (takes, gives_back, creates) = (Arc::clone(&vendor), Arc::clone(&vendor), vendor);
    Sequence::new("create user", |_, request| async move { Ok(request.asset().param_text(USER).is_none()) })
        .step(
            FnStep::new("take seats", move |cx, request| {
                let vendor = Arc::clone(&takes);
                async move {
                    let free: u32 = cx.config.get("SEATS").unwrap_or("0").trim().parse()?;
                    vendor.take_seats(request.asset().id(), seats(&request)?, free)?;
                    Ok(Background::Done)
                }
            })
            .undo(move |cx, request| {
                let vendor = Arc::clone(&gives_back);
                async move {
                    vendor.give_seats_back(request.asset().id());
                    cx.warning("the seats are given back");
                    Ok(())
                }
            }),
        )
        .step(FnStep::new("make the user", move |cx, request| {
            let vendor = Arc::clone(&creates);
            async move {
                let asset = request.asset();
                let email = asset.param_text("admin_email").ok_or("the purchase names no administrator")?;
                if cx.config.get("ADMIN_BLOCKED") == Some(email) {
                    return Err(format!("the vendor has blocked {email}").into());
                }
                let token = vendor.create_user(asset.id(), email);
                request.update_params(&cx.client, &[Param::new(USER).value(token)]).await?;
                Ok(AGAIN)
            }
        }))
        // Nothing of it is left at the vendor: the request fails for good, with the reason.
        .compensate(|cx, request, error| async move {
            request.fail(&cx.client, &error.to_string()).await?;
            Ok(Background::Fail(error.to_string()))
        })
}

fn seats(request: &Request) -> Result<u32, HandlerError> {
    let asset = request.asset();
    let quantity = asset.items().first().and_then(|item| item["quantity"].as_str()).ok_or("the purchase has no items")?;
    Ok(quantity.parse()?)
}

/// Third delivery.
struct ApproveRequest {
    template_id: String,
}
inject!(ApproveRequest { template_id: config });

#[async_trait]
impl Transaction for ApproveRequest {
    fn name(&self) -> &str {
        "approve"
    }

    async fn should_execute(&self, _: &Context, request: &Request) -> Result<bool, HandlerError> {
        Ok(request.asset().param_text(USER).is_some())
    }

    async fn execute(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError> {
        request.approve(&cx.client, Approve::template(&self.template_id)).await?;
        Ok(Background::Done)
    }
}

/// Stands for the vendor's system, which would be reached over HTTP.
#[derive(Clone, Default)]
pub struct Vendor(Arc<Mutex<Books>>);

/// What the vendor knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Books {
    /// How often somebody logged in.
    pub logins: u32,
    /// Subscriptions that have a tenant.
    pub tenants: Vec<String>,
    /// Seats taken, by subscription.
    pub seats: Vec<(String, u32)>,
    /// Users, by subscription.
    pub users: Vec<(String, String)>,
}

impl Vendor {
    /// A look into the vendor's books.
    pub fn books(&self) -> Books {
        self.write(|books| books.clone())
    }

    fn write<R>(&self, change: impl FnOnce(&mut Books) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A token, and how many seconds it is good for.
    fn log_in(&self, password: &str) -> Result<(String, u64), HandlerError> {
        if password.is_empty() {
            return Err("the vendor wants a password: set VENDOR_PASSWORD".into());
        }
        self.write(|books| books.logins += 1);
        Ok(("token".into(), 600))
    }

    fn create_tenant(&self, token: &str, subscription: &str) -> Result<String, HandlerError> {
        if token != "token" {
            return Err("the vendor doesn't know this token".into());
        }
        self.write(|books| books.tenants.push(subscription.into()));
        Ok(format!("tenant-of-{subscription}"))
    }

    fn delete_tenant(&self, subscription: &str) {
        self.write(|books| books.tenants.retain(|tenant| tenant != subscription));
    }

    fn take_seats(&self, subscription: &str, wanted: u32, of: u32) -> Result<(), HandlerError> {
        self.write(|books| {
            let taken: u32 = books.seats.iter().map(|(_, seats)| seats).sum();
            let left = of.saturating_sub(taken);
            if wanted > left {
                return Err(format!("{wanted} seats are wanted and {left} are left").into());
            }
            books.seats.push((subscription.into(), wanted));
            Ok(())
        })
    }

    fn give_seats_back(&self, subscription: &str) {
        self.write(|books| books.seats.retain(|(taken_by, _)| taken_by != subscription));
    }

    fn create_user(&self, subscription: &str, email: &str) -> String {
        self.write(|books| books.users.push((subscription.into(), email.into())));
        format!("user-of-{subscription}")
    }
}

/// Lets transactions ask for the vendor by its type.
struct VendorProvider(Vendor);

impl ServiceProvider for VendorProvider {
    fn key(&self) -> &str {
        "vendor"
    }

    fn register(&self, bindings: &mut Bindings) {
        bindings.bind::<Vendor>().instance(Arc::new(self.0.clone()));
    }
}
